import type { Message, PullOptions } from './api.ts'
import type { MillraceError } from './errors.ts'
import type { Link } from './link.ts'
import type { HeldMessage } from './received-message.ts'
import { Subscriber, type SubscribeRequest } from './subscriber.ts'

const MAX = 100
/** A broker that has messages answers within this. */
const ANSWER_MS = 50
/** After the first message, how long to wait for others of the same pull. */
const GATHER_MS = 5

interface Pull {
  readonly max: number
  readonly messages: HeldMessage[]
  readonly resolve: (messages: readonly Message[]) => void
  readonly reject: (error: MillraceError) => void
}

/** Takes messages on demand: grants what is asked for, and takes back the credit that was not used. One pull at a time. */
export class Puller {
  readonly #link: Link
  readonly #subscriber: Subscriber
  readonly #forget: (puller: Puller) => void
  #pull: Pull | undefined
  #cancelTimer: (() => void) | undefined
  #revoking = false

  /** @param forget called when it is of no use any more */
  constructor(link: Link, request: SubscribeRequest, forget: (puller: Puller) => void) {
    this.#link = link
    this.#forget = forget
    this.#subscriber = new Subscriber(link, () => request, undefined, {
      available: () => this.#collect(),
      ended: (error) => this.#ended(error),
      interrupted: () => this.#interrupted(),
      resubscribed: () => this.#again(),
      revoked: () => this.#finish(),
    })
  }

  get busy(): boolean {
    return this.#pull !== undefined
  }

  pull(options: PullOptions): Promise<readonly Message[]> {
    const max = Math.max(1, options.max ?? MAX)
    return new Promise((resolve, reject) => {
      this.#pull = { max, messages: [], resolve, reject }
      this.#revoking = false
      this.#subscriber.grant(max)
      this.#cancelTimer = this.#timeOut(options.waitMs ?? 0)
    })
  }

  leave(): Promise<void> {
    return this.#subscriber.leave()
  }

  #timeOut(waitMs: number): () => void {
    const { platform } = this.#link
    const revoke = (): void => this.#revoke()
    return waitMs > ANSWER_MS ? platform.after(waitMs, revoke) : platform.lull(ANSWER_MS, revoke)
  }

  #collect(): void {
    const pull = this.#pull
    if (pull === undefined) return
    const before = pull.messages.length
    for (let message = this.#subscriber.take(); message !== undefined; message = this.#subscriber.take())
      pull.messages.push(message)
    if (pull.messages.length >= pull.max) return this.#finish()
    if (before > 0 || this.#revoking) return
    this.#cancelTimer?.()
    this.#cancelTimer = this.#link.platform.lull(GATHER_MS, () => this.#revoke())
  }

  #revoke(): void {
    if (this.#revoking || this.#pull === undefined) return
    this.#revoking = true
    if (!this.#subscriber.revoke()) this.#finish()
  }

  #finish(): void {
    this.#cancelTimer?.()
    const pull = this.#pull
    this.#pull = undefined
    pull?.resolve(pull.messages)
  }

  /** The credit went with the connection, and what was received with it is void. */
  #interrupted(): void {
    if (this.#pull === undefined) return
    this.#pull.messages.length = 0
    if (this.#revoking) this.#finish()
  }

  /** The pull goes on, on the next connection, for the rest of its time. */
  #again(): void {
    if (this.#pull !== undefined) this.#subscriber.grant(this.#pull.max)
  }

  #ended(error: MillraceError | undefined): void {
    this.#forget(this)
    const pull = this.#pull
    this.#pull = undefined
    this.#cancelTimer?.()
    if (error === undefined) pull?.resolve([])
    else pull?.reject(error)
  }
}
