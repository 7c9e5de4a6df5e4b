/** Takes expired messages out of queues and subscriptions that nobody consumes, from the head on, so that their space comes back. */
import { MillraceError } from '../../base/errors.ts'
import { KIB, SECOND_MS } from '../../base/units.ts'
import type { Platform, Timer } from '../../ports/platform.ts'
import type { LogStore, StoredBatch } from '../../storage/log-store.ts'
import type { Cursor } from './cursor.ts'
import { ExpiryRuns, mayExpire } from './expiry-runs.ts'

const PAUSE_MS_MIN: number = SECOND_MS
/** While there is more to take out than one round does. */
const PAUSE_MS_BUSY = 10
const PAUSE_MS_MAX: number = 10 * SECOND_MS
const VISITS_PER_TURN = 128
const READ_BYTES = 64 * KIB
/** Runs of expired messages that are taken out of one log in a round. */
const RUNS_PER_VISIT = 256

/** Nothing expires at the head before that time. */
interface Head {
  readonly offset: number
  readonly untilMs: number
}

export interface SweepParts {
  readonly store: LogStore
  readonly platform: Platform
  readonly warn: (message: string) => void
  /** Writes gathered state if there is much of it. */
  readonly bound: () => void
}

export class ExpirySweep {
  readonly #parts: SweepParts
  /** Where something may expire, and what is known of it. */
  readonly #watched = new Map<Cursor, Head | undefined>()
  readonly #runs = new ExpiryRuns()
  #timer: Timer | undefined
  /** When the next round begins, monotonic clock. */
  #dueMs = Infinity
  #running = false
  #stopped = false

  constructor(parts: SweepParts) {
    this.#parts = parts
  }

  /** Something in the cursor may expire. */
  watch(cursor: Cursor): void {
    this.#watched.set(cursor, undefined)
    this.#schedule(PAUSE_MS_MIN)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #schedule(pauseMs: number): void {
    const { clock, scheduler } = this.#parts.platform
    const dueMs = clock.monotonicMs() + pauseMs
    if (dueMs >= this.#dueMs || this.#stopped) return
    this.#dueMs = dueMs
    if (this.#running) return
    this.#timer?.cancel()
    this.#timer = scheduler.after(pauseMs, () => void this.#run())
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts.platform
    this.#running = true
    this.#dueMs = Infinity
    let pauseMs = PAUSE_MS_MAX
    try {
      pauseMs = await this.#round()
    } catch (error) {
      this.#parts.warn(`expired messages stay until the next round: ${String(error)}`)
    }
    this.#running = false
    const soonMs = this.#dueMs - clock.monotonicMs()
    this.#dueMs = Infinity
    if (this.#watched.size === 0) return
    this.#schedule(pauseMs === 0 ? PAUSE_MS_BUSY : Math.max(Math.min(pauseMs, soonMs), PAUSE_MS_MIN))
  }

  async #round(): Promise<number> {
    let pauseMs = PAUSE_MS_MAX
    let visits = 0
    for (const [cursor, head] of this.#watched) {
      if (this.#stopped) break
      pauseMs = Math.min(pauseMs, await this.#visit(cursor, head))
      if (++visits % VISITS_PER_TURN === 0) await new Promise<void>((done) => this.#parts.platform.scheduler.endOfTurn(done))
    }
    return pauseMs
  }

  /** @returns after how many milliseconds it should be looked at again */
  async #visit(cursor: Cursor, known: Head | undefined): Promise<number> {
    const { ttlMs, filter } = cursor.owner
    // What a filter does not take must not die of age: only a consumer gets past it.
    if (cursor.closed || filter !== undefined) {
      this.#watched.delete(cursor)
      return Infinity
    }
    const first = cursor.readyFrom(0, cursor.log.end)?.first
    if (first === undefined) {
      if (ttlMs !== undefined) return ttlMs / 2
      // Messages that come later announce themselves; those that come back do not.
      if (cursor.floor() >= cursor.log.end) this.#watched.delete(cursor)
      return PAUSE_MS_MAX
    }
    const nowMs = this.#parts.platform.clock.nowMs()
    if (known !== undefined && known.offset === first && nowMs < known.untilMs) return known.untilMs - nowMs
    try {
      return await this.#sweep(cursor)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      // It was trimmed or deleted meanwhile, or is damaged, which its consumers are told.
      return PAUSE_MS_MAX
    }
  }

  async #sweep(cursor: Cursor): Promise<number> {
    const { store, platform } = this.#parts
    for (let runs = 0; runs < RUNS_PER_VISIT;) {
      if (cursor.closed) return Infinity
      const { end } = store.bounds(cursor.log.id)
      const head = cursor.readyFrom(0, end)
      if (head === undefined) return PAUSE_MS_MIN
      const read = store.read(cursor.log.id, head.first, READ_BYTES)
      const batches = read instanceof Promise ? await read : read
      if (batches.length === 0) return PAUSE_MS_MAX
      for (const batch of batches) {
        const untilMs = this.#expire(cursor, batch, end, platform.clock.nowMs())
        if (untilMs === undefined) continue
        const first = cursor.readyFrom(0, end)?.first
        if (first !== undefined && this.#watched.has(cursor)) this.#watched.set(cursor, { offset: first, untilMs })
        return untilMs - platform.clock.nowMs()
      }
      runs += batches.length
    }
    return 0
  }

  /** Takes out what has expired at the head, as far as the batch goes. @returns when the next does, or undefined when there is more to see */
  #expire(cursor: Cursor, batch: StoredBatch, end: number, nowMs: number): number | undefined {
    const { ttlMs } = cursor.owner
    for (;;) {
      const head = cursor.readyFrom(0, end)
      if (head === undefined || head.first > batch.lastOffset) return undefined
      // Compaction removed the head: it is passed over when it is delivered.
      if (head.first < batch.baseOffset) return nowMs + PAUSE_MS_MAX
      if (!mayExpire(batch.bytes, ttlMs)) return Infinity
      const last = Math.min(head.last, batch.lastOffset)
      if (!this.#runs.isExpired(batch, ttlMs, head.first, last, nowMs)) return this.#runs.nextMs
      cursor.die(head.first, this.#runs.last, 'expired')
      this.#parts.bound()
    }
  }
}
