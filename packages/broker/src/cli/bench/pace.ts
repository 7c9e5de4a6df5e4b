/** When messages are due: at a fixed rate, or at once. Time is `performance.now()`. */
export class Pace {
  readonly #startMs: number
  readonly #endMs: number
  readonly #rate: number | undefined
  readonly #count: number

  constructor(startMs: number, durationMs: number, rate: number | undefined, count: number) {
    this.#startMs = startMs
    this.#endMs = startMs + durationMs
    this.#rate = rate
    this.#count = count
  }

  /** How many messages should have been sent by `nowMs`. */
  due(nowMs: number): number {
    if (this.#rate === undefined) return this.#count
    return Math.min(this.#count, Math.floor(((nowMs - this.#startMs) * this.#rate) / 1000) + 1)
  }

  /**
   * When message `n` was meant to be sent. At a fixed rate that is its place in the schedule: a message that had to wait behind
   * a slow one is charged for the wait, which a client that measures from the actual send would hide (coordinated omission).
   */
  intendedMs(n: number, nowMs: number): number {
    return this.#rate === undefined ? nowMs : this.#startMs + (n * 1000) / this.#rate
  }

  finished(sent: number, nowMs: number): boolean {
    return sent >= this.#count || nowMs >= this.#endMs
  }

  /** Lets input and output happen, until message `n` is nearly due. Timers are too coarse for the last millisecond. */
  async pause(n: number): Promise<void> {
    const waitMs = this.intendedMs(n, 0) - performance.now()
    if (this.#rate === undefined || waitMs < 2) await new Promise((resolve) => setImmediate(resolve))
    else await new Promise((resolve) => setTimeout(resolve, waitMs - 2))
  }
}
