import type { Clock, Platform, Random, Scheduler, Timer } from '../src/ports/platform.ts'

interface PlannedTask {
  readonly atMs: number
  /** Order among tasks of the same time. */
  readonly order: number
  readonly task: () => void
  isCancelled: boolean
}

/**
 * Time, scheduling and chance from a seed. Time stands still until somebody moves it; end-of-turn tasks run when they are asked to.
 * The same seed and the same calls give the same run.
 */
export class VirtualPlatform implements Platform {
  readonly clock: Clock = { nowMs: () => this.#wallMs, monotonicMs: () => this.#monotonicMs }
  readonly scheduler: Scheduler = {
    endOfTurn: (task) => {
      this.#turn.push(task)
    },
    after: (delayMs, task) => this.#after(delayMs, task),
  }
  readonly random: Random = { uint32: () => this.uint32() }
  #state: number
  #wallMs: number
  #monotonicMs = 0
  #turn: (() => void)[] = []
  #timers: PlannedTask[] = []
  #order = 0

  constructor(seed = 1, startMs = 1_700_000_000_000) {
    this.#state = seed >>> 0
    this.#wallMs = startMs
  }

  /** mulberry32. */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** Uniform in 0..limit-1. */
  below(limit: number): number {
    return this.uint32() % limit
  }

  /** Steps the wall clock alone, as an operator or NTP does. */
  stepWallClock(byMs: number): void {
    this.#wallMs += byMs
  }

  /** Work takes time: the clocks go on, and nothing that is due runs before it is over. */
  pass(ms: number): void {
    this.#wallMs += ms
    this.#monotonicMs += ms
  }

  /** Runs the end-of-turn tasks that are waiting now. @returns whether there were any */
  runTurn(): boolean {
    const tasks = this.#turn
    this.#turn = []
    for (const task of tasks) task()
    return tasks.length > 0
  }

  /** Lets all work that needs no time come to rest: end-of-turn tasks, and the promises that they and the journal keep busy. */
  async settle(): Promise<void> {
    let quiet = 0
    while (quiet < 2) {
      quiet = this.runTurn() ? 0 : quiet + 1
      await realTurn()
    }
  }

  /** Moves time on, timer by timer, letting all work come to rest in between. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + byMs
    await this.settle()
    for (;;) {
      const next = this.#timers[0]
      if (next === undefined || next.atMs > untilMs) break
      this.#timers.shift()
      this.#moveTo(next.atMs)
      if (!next.isCancelled) next.task()
      await this.settle()
    }
    this.#moveTo(untilMs)
  }

  /** Moves time on and runs the timers that are due, without letting anything come to rest: for a crash in the middle. */
  fire(byMs: number): void {
    const untilMs = this.#monotonicMs + byMs
    for (let next = this.#timers[0]; next !== undefined && next.atMs <= untilMs; next = this.#timers[0]) {
      this.#timers.shift()
      this.#moveTo(next.atMs)
      if (!next.isCancelled) next.task()
    }
    this.#moveTo(untilMs)
  }

  /** Runs until `promise` settles; moves time on when nothing else is left to do. @throws what it rejects with; Error if it never settles */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isDone = false
    const done = promise.finally(() => (isDone = true))
    done.catch(() => undefined)
    for (let n = 0; n < TIMERS_MAX; n++) {
      await this.settle()
      if (isDone) return done
      const next = this.#timers.shift()
      if (next === undefined) throw new Error('nothing is left to do, but the promise did not settle')
      this.#moveTo(next.atMs)
      if (!next.isCancelled) next.task()
    }
    throw new Error(`the promise did not settle in ${TIMERS_MAX} timers`)
  }

  /** Forgets everything that is planned, as a crash does. */
  forget(): void {
    this.#turn = []
    this.#timers = []
  }

  #moveTo(atMs: number): void {
    if (atMs <= this.#monotonicMs) return
    this.#wallMs += atMs - this.#monotonicMs
    this.#monotonicMs = atMs
  }

  #after(delayMs: number, task: () => void): Timer {
    const planned: PlannedTask = {
      atMs: this.#monotonicMs + Math.max(0, delayMs),
      order: this.#order++,
      task,
      isCancelled: false,
    }
    const at = this.#timers.findIndex((other) => other.atMs > planned.atMs)
    if (at < 0) this.#timers.push(planned)
    else this.#timers.splice(at, 0, planned)
    return {
      cancel: () => {
        planned.isCancelled = true
      },
    }
  }
}

/** Whoever waits longer waits for ever. */
const TIMERS_MAX = 100_000

/** Lets promises, and I/O of the real machine, make progress. */
function realTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
