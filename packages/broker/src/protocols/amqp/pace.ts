import type { Connection, Principal, SessionContext } from '../session.ts'
import { limits } from './limits.ts'

/** Who publishes faster than the broker takes, or than its quota, or asks faster than it can be answered, is not read from for a while. */
export class Pace {
  readonly #connection: Connection
  readonly #context: SessionContext
  readonly #onBlocked: (reason: string | undefined) => void
  /** Ends the wait; set while the connection is paused. */
  #stop: (() => void) | undefined
  #pausedMs = Infinity
  #publishes = false
  #owesAnswers = false
  isToldBlocked = false
  #reason = ''

  /** @param onBlocked told once it lasts, and with undefined when it is over */
  constructor(connection: Connection, context: SessionContext, onBlocked: (reason: string | undefined) => void) {
    this.#connection = connection
    this.#context = context
    this.#onBlocked = onBlocked
  }

  get isPaused(): boolean {
    return this.#stop !== undefined || this.#owesAnswers
  }

  /** @param tooMany whether so many requests wait for their answers that no more should come */
  answersWait(tooMany: boolean): void {
    if (tooMany === this.#owesAnswers) return
    this.#owesAnswers = tooMany
    if (this.#stop !== undefined) return
    if (tooMany) this.#connection.pause()
    else this.#connection.resume()
  }

  /** After publishes of so many bytes. */
  published(principal: Principal, bytes: number): void {
    this.#publishes = true
    if (this.#stop !== undefined) return
    const { broker, platform } = this.#context
    const { user, clientId = '' } = principal
    const waitMs = broker.quotas.charge(user, clientId, 'publish', bytes)
    if (!broker.acceptsPublishes) this.#blockForRoom()
    else if (broker.congested) this.#awaitRelief('more is published than can be written')
    else if (waitMs > 0) {
      const timer = platform.scheduler.after(waitMs, () => this.#resume())
      this.#pause(() => timer.cancel(), 'the quota is used up')
    }
  }

  tick(nowMs: number): void {
    if (this.#stop === undefined) {
      if (this.#publishes && !this.#context.broker.acceptsPublishes) this.#blockForRoom()
      return
    }
    if (this.#pausedMs === Infinity) this.#pausedMs = nowMs
    if (nowMs - this.#pausedMs >= limits.blockedAfterMs) this.#tell()
  }

  close(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  #pause(stop: () => void, reason: string): void {
    this.#stop = stop
    this.#reason = reason
    this.#pausedMs = Infinity
    if (!this.#owesAnswers) this.#connection.pause()
  }

  /** That lasts, so the client learns it at once. */
  #blockForRoom(): void {
    this.#awaitRelief('the disk is full')
    this.#tell()
  }

  #awaitRelief(reason: string): void {
    const { broker } = this.#context
    const stop = broker.onRelief(() => {
      if (broker.congested || !broker.acceptsPublishes) return
      stop()
      this.#resume()
    })
    this.#pause(stop, reason)
  }

  #tell(): void {
    if (this.isToldBlocked) return
    this.isToldBlocked = true
    this.#onBlocked(this.#reason)
  }

  #resume(): void {
    if (this.#stop === undefined) return
    this.#stop = undefined
    if (!this.#owesAnswers) this.#connection.resume()
    if (!this.isToldBlocked) return
    this.isToldBlocked = false
    this.#onBlocked(undefined)
  }
}
