import type { Broker } from '../../core/broker.ts'
import type { Connection, Principal, SessionContext } from '../session.ts'
import { limits } from './limits.ts'

const CONGESTED = 'more is published than can be written'

/** Who publishes faster than the broker takes, or than its quota, or asks faster than it can be answered, is not read from for a while. */
export class Pace {
  readonly #connection: Connection
  readonly #context: SessionContext
  readonly #onBlocked: (reason: string | undefined) => void
  /** Ends the wait; set while the connection is paused. */
  #stop: (() => void) | undefined
  #pausedMs = Infinity
  /** Set once it publishes: whoever does not need not know. */
  #stopShortages: (() => void) | undefined
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
    const { broker, platform } = this.#context
    this.#listen()
    if (this.#stop !== undefined) return
    const { user, clientId = '' } = principal
    const waitMs = broker.quotas.charge(user, clientId, 'publish', bytes)
    if (isShort(broker.shortages)) this.#block()
    else if (broker.congested) this.#awaitRelief(CONGESTED)
    else if (waitMs > 0) {
      const timer = platform.scheduler.after(waitMs, () => this.#resume())
      this.#pause(() => timer.cancel(), 'the quota is used up')
    }
  }

  /** What came in cannot be taken before there is room, on the disk or on the way to it. */
  awaitRoom(): void {
    this.#listen()
    if (!this.isToldBlocked) this.#block()
  }

  tick(nowMs: number): void {
    if (this.#stop === undefined) return
    if (this.#pausedMs === Infinity) this.#pausedMs = nowMs
    if (nowMs - this.#pausedMs >= limits.blockedAfterMs) this.#tell()
  }

  close(): void {
    this.#stopShortages?.()
    this.#stop?.()
    this.#stop = undefined
  }

  #listen(): void {
    this.#stopShortages ??= this.#context.broker.shortages.listen(() => this.#review())
  }

  /** The broker tells of a shortage, or that one is over, for which the pause itself waits. */
  #review(): void {
    if (isShort(this.#context.broker.shortages) && !this.isToldBlocked) this.#block()
  }

  #pause(stop: () => void, reason: string): void {
    this.#stop = stop
    this.#reason = reason
    this.#pausedMs = Infinity
    if (!this.#owesAnswers) this.#connection.pause()
  }

  /** That lasts, so the client learns it at once. */
  #block(): void {
    const { shortages } = this.#context.broker
    this.#stop?.()
    this.#awaitRelief(shortages.disk ? 'low on disk' : shortages.memory ? 'low on memory' : CONGESTED)
    this.#tell()
  }

  #awaitRelief(reason: string): void {
    const { broker } = this.#context
    const stop = broker.onRelief(() => {
      if (broker.congested || isShort(broker.shortages)) return
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

function isShort({ disk, memory }: Broker['shortages']): boolean {
  return disk || memory
}
