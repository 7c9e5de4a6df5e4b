import type { Connection, Principal, SessionContext } from '../session.ts'
import { limits } from './limits.ts'

/** Who publishes faster than the broker takes, or than its quota, is not read from for a while. */
export class Pace {
  readonly #connection: Connection
  readonly #context: SessionContext
  readonly #onBlocked: (reason: string | undefined) => void
  /** Ends the wait; set while the connection is paused. */
  #stop: (() => void) | undefined
  #pausedMs = Infinity
  isToldBlocked = false
  #reason = ''

  /** @param onBlocked told once it lasts, and with undefined when it is over */
  constructor(connection: Connection, context: SessionContext, onBlocked: (reason: string | undefined) => void) {
    this.#connection = connection
    this.#context = context
    this.#onBlocked = onBlocked
  }

  get isPaused(): boolean {
    return this.#stop !== undefined
  }

  /** After publishes of so many bytes. */
  published(principal: Principal, bytes: number): void {
    if (this.#stop !== undefined) return
    const { broker, platform } = this.#context
    const { user, clientId = '' } = principal
    const waitMs = broker.quotas.charge(user, clientId, 'publish', bytes)
    if (broker.congested) {
      const stop = broker.onRelief(() => {
        stop()
        this.#resume()
      })
      this.#pause(stop, 'more is published than can be written')
    } else if (waitMs > 0) {
      const timer = platform.scheduler.after(waitMs, () => this.#resume())
      this.#pause(() => timer.cancel(), 'the quota is used up')
    }
  }

  /** Reads nothing before `isDone`, which is asked by each tick. */
  holdUntil(isDone: () => boolean, reason: string): void {
    if (this.#stop !== undefined) return
    this.#isDone = isDone
    this.#pause(() => {}, reason)
  }

  #isDone: (() => boolean) | undefined

  tick(nowMs: number): void {
    if (this.#stop === undefined) return
    if (this.#isDone?.() === true) return this.#resume()
    if (this.#pausedMs === Infinity) this.#pausedMs = nowMs
    if (nowMs - this.#pausedMs < limits.blockedAfterMs || this.isToldBlocked) return
    this.isToldBlocked = true
    this.#onBlocked(this.#reason)
  }

  close(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  #pause(stop: () => void, reason: string): void {
    this.#stop = stop
    this.#reason = reason
    this.#pausedMs = Infinity
    this.#connection.pause()
  }

  #resume(): void {
    if (this.#stop === undefined) return
    this.#stop = undefined
    this.#isDone = undefined
    this.#connection.resume()
    if (!this.isToldBlocked) return
    this.isToldBlocked = false
    this.#onBlocked(undefined)
  }
}
