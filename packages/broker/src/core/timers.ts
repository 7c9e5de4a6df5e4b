import type { Clock, Scheduler, Timer } from '../ports/platform.ts'

/** The longest time that is asked of the platform at once (setTimeout takes less than 2^31 ms). */
const SLEEP_MS_MAX = 3_600_000
/** How many deadlines are handled before the turn ends. */
const PER_TURN = 1024

export interface Deadline {
  /** The monotonic clock has reached the time that was asked for. */
  due(nowMs: number): void
}

/** All deadlines of the broker over one timer of the platform: a binary heap. Deadlines are not cancelled; `due` finds out whether there is still something to do. */
export class Timers {
  readonly #clock: Clock
  readonly #scheduler: Scheduler
  #times: number[] = []
  #deadlines: Deadline[] = []
  #timer: Timer | undefined
  #timerMs = Infinity
  #stopped = false

  constructor(clock: Clock, scheduler: Scheduler) {
    this.#clock = clock
    this.#scheduler = scheduler
  }

  /** How many deadlines are waited for. */
  get size(): number {
    return this.#times.length
  }

  /** Calls `deadline.due` once the monotonic clock reached `atMs`. */
  add(atMs: number, deadline: Deadline): void {
    if (this.#stopped) return
    this.#push(atMs, deadline)
    if (atMs < this.#timerMs) this.#arm()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#timer = undefined
    this.#times = []
    this.#deadlines = []
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerMs = Infinity
    const first = this.#times[0]
    if (first === undefined || this.#stopped) return
    const sleepMs = Math.min(Math.max(0, Math.ceil(first - this.#clock.monotonicMs())), SLEEP_MS_MAX)
    this.#timerMs = first
    this.#timer = this.#scheduler.after(sleepMs, () => this.#fire())
  }

  #fire(): void {
    this.#timer = undefined
    this.#timerMs = -Infinity
    const now = this.#clock.monotonicMs()
    for (let left = PER_TURN; left > 0 && this.#times.length > 0 && this.#times[0]! <= now; left--) this.#pop().due(now)
    this.#arm()
  }

  #push(atMs: number, deadline: Deadline): void {
    const times = this.#times
    const deadlines = this.#deadlines
    let at = times.length
    times.push(atMs)
    deadlines.push(deadline)
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (times[parent]! <= atMs) break
      times[at] = times[parent]!
      deadlines[at] = deadlines[parent]!
      at = parent
    }
    times[at] = atMs
    deadlines[at] = deadline
  }

  #pop(): Deadline {
    const times = this.#times
    const deadlines = this.#deadlines
    const top = deadlines[0]!
    const time = times.pop()!
    const deadline = deadlines.pop()!
    const size = times.length
    if (size === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && times[child + 1]! < times[child]!) child++
      if (times[child]! >= time) break
      times[at] = times[child]!
      deadlines[at] = deadlines[child]!
      at = child
    }
    times[at] = time
    deadlines[at] = deadline
    return top
  }
}
