import type { ClientPlatform } from '@millrace/client'
import type { Platform, Scheduler, Timer } from '../../ports/platform.ts'

/** Turns of the event loop without work after which all is at rest: more than any chain of promises that crosses none of our schedulers. */
const REST_TURNS = 3
/** Waits at the end of a broker's life are at most so long: the client's closing, and handlers that sleep. */
const CLOSING_MS_MAX = 3_600_000

interface PlannedTask {
  readonly atMs: number
  readonly task: () => void
}

// Taken at once: a test may put fake timers in their place later.
const { setImmediate: nextTurn } = globalThis

/**
 * Time that stands still until it is moved, for one broker and its clients. Turns of the event loop are real, so that awaiting a
 * publish needs nothing from the test; everything that takes time waits for `advance`.
 */
export class VirtualTime {
  /** For the core of the broker. */
  readonly platform: Platform
  /** For sessions: connections do not age, so that days can pass without heartbeats, and pauses end when all is at rest. */
  readonly sessionPlatform: Platform
  readonly clientPlatform: ClientPlatform
  #wallMs: number
  #monotonicMs = 0
  /** Where the `advance` that is running goes to. */
  #advancingToMs = 0
  /** In the order of their times. */
  readonly #timers: PlannedTask[] = []
  readonly #pauses = new Set<() => void>()
  /** Counts what was planned for ends of turns, and how much of it waits. */
  #planned = 0
  #waiting = 0
  /** `#planned` when pauses were ended last: what they only do to find out that there is still nothing is no work. */
  #plannedByPauses = -1
  #watching = false
  #moving: Promise<unknown> = Promise.resolve()
  #randomState: number

  constructor(startMs: number, seed: number) {
    this.#wallMs = startMs
    this.#randomState = seed >>> 0
    const clock = { nowMs: () => this.nowMs, monotonicMs: () => this.#monotonicMs }
    const random = { uint32: () => this.#uint32() }
    const endOfTurn = (task: () => void): void => this.#endOfTurn(task)
    const after: Scheduler['after'] = (delayMs, task) => this.#after(delayMs, task)
    this.platform = { clock, random, scheduler: { endOfTurn, after } }
    this.sessionPlatform = {
      clock: { nowMs: clock.nowMs, monotonicMs: () => 0 },
      random,
      scheduler: { endOfTurn, after: (_, task) => this.#pause(task) },
    }
    const every = (periodMs: number, task: () => void): (() => void) => this.#every(periodMs, task)
    this.clientPlatform = {
      ...clock,
      random: () => this.#uint32() / 0x1_0000_0000,
      endOfTurn,
      after: (delayMs, task) => canceller(this.#after(delayMs, task)),
      every,
      keepAlive: every,
      lull: (_, task) => {
        // Somebody began to wait: that is work, also where nothing was sent.
        this.#planned++
        return canceller(this.#pause(task))
      },
      sleep: (ms) => this.sleep(ms),
    }
  }

  /** Whole milliseconds, as of a wall clock; jitter makes timers end between them. */
  get nowMs(): number {
    return Math.floor(this.#wallMs)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#after(ms, resolve)
    })
  }

  /** Lets all work that needs no time come to rest. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < REST_TURNS;) {
      const before = this.#planned
      await new Promise((resolve) => {
        nextTurn(resolve)
      })
      quiet = this.#planned === before && this.#waiting === 0 ? quiet + 1 : 0
      if (quiet === REST_TURNS && this.#endPauses()) quiet = 0
    }
  }

  /**
   * Moves time on, timer by timer, and lets all work come to rest after each. One after the other.
   * @param until looked at after each: true ends it early
   */
  advance(byMs: number, until: () => boolean = () => false): Promise<void> {
    const moved = this.#moving.then(() => this.#advance(byMs, until))
    // What a timer throws is told to whoever moved time on to it, not to the next one.
    this.#moving = moved.catch(() => undefined)
    return moved
  }

  /** Waits for what needs an hour at most, moving time on while nothing else happens. */
  async until(promise: Promise<unknown>): Promise<void> {
    const outcome = { isKnown: false }
    const waited = promise.finally(() => (outcome.isKnown = true))
    waited.catch(() => undefined)
    for (let stepMs = 1000; stepMs < CLOSING_MS_MAX && !outcome.isKnown; stepMs *= 2) {
      await this.advance(stepMs, () => outcome.isKnown)
    }
    await waited
  }

  /** Nothing that is planned happens any more. */
  stop(): void {
    this.#timers.length = 0
    this.#pauses.clear()
  }

  async #advance(byMs: number, until: () => boolean): Promise<void> {
    const untilMs = this.#monotonicMs + byMs
    this.#advancingToMs = untilMs
    await this.settle()
    while (!until()) {
      const next = this.#timers[0]
      if (next === undefined || next.atMs > untilMs) return this.#moveTo(untilMs)
      this.#timers.shift()
      this.#moveTo(next.atMs)
      next.task()
      await this.settle()
    }
    this.#advancingToMs = this.#monotonicMs
  }

  #moveTo(atMs: number): void {
    const byMs = Math.max(0, atMs - this.#monotonicMs)
    this.#wallMs += byMs
    this.#monotonicMs += byMs
  }

  #endOfTurn(task: () => void): void {
    this.#planned++
    this.#waiting++
    nextTurn(() => {
      this.#waiting--
      task()
    })
    if (this.#pauses.size > 0) this.#watch()
  }

  #after(delayMs: number, task: () => void): Timer {
    const planned: PlannedTask = { atMs: this.#monotonicMs + Math.max(0, delayMs), task }
    const later = this.#timers.findIndex(({ atMs }) => atMs > planned.atMs)
    this.#timers.splice(later < 0 ? this.#timers.length : later, 0, planned)
    return {
      cancel: () => {
        const at = this.#timers.indexOf(planned)
        if (at >= 0) this.#timers.splice(at, 1)
      },
    }
  }

  /** Housekeeping: within one `advance`, however long, it runs at its next time and at the end. */
  #every(periodMs: number, task: () => void): () => void {
    let timer: Timer
    const plan = (delayMs: number): void => {
      timer = this.#after(delayMs, () => {
        task()
        plan(Math.max(periodMs, this.#advancingToMs - this.#monotonicMs))
      })
    }
    plan(periodMs)
    return () => timer.cancel()
  }

  #pause(task: () => void): Timer {
    this.#pauses.add(task)
    this.#watch()
    return { cancel: () => void this.#pauses.delete(task) }
  }

  /** @returns whether there were any that something happened for */
  #endPauses(): boolean {
    if (this.#pauses.size === 0 || this.#planned === this.#plannedByPauses) return false
    const pauses = [...this.#pauses]
    this.#pauses.clear()
    for (const task of pauses) task()
    this.#plannedByPauses = this.#planned
    return true
  }

  /** Pauses end by themselves, whether or not somebody settles. */
  #watch(): void {
    if (this.#watching) return
    this.#watching = true
    void this.#settleOnce()
  }

  async #settleOnce(): Promise<void> {
    await this.settle()
    this.#watching = false
  }

  /** mulberry32. */
  #uint32(): number {
    this.#randomState = (this.#randomState + 0x6d2b79f5) >>> 0
    let mixed = this.#randomState
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

function canceller(timer: Timer): () => void {
  return () => timer.cancel()
}
