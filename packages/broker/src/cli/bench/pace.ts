/** When messages are due: at a fixed rate, or at once. Time is `performance.now()`. */
export class Pace {
  readonly #startMs: number
  readonly #endMs: number
  readonly #rate: number | undefined
  readonly #count: number
  /** What was due before this was kept waiting by the broker. */
  #heldUntilMs = 0

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
   * When message `n` counts as sent. For one that the broker kept waiting, by a window full of unconfirmed ones, that is its place
   * in the schedule: a client that measures from the actual send hides that wait (coordinated omission). For one that this
   * process was late with, because its timer was, it is now.
   */
  intendedMs(n: number, nowMs: number): number {
    if (this.#rate === undefined) return nowMs
    const plannedMs = this.#plannedMs(n)
    return plannedMs < this.#heldUntilMs ? plannedMs : nowMs
  }

  /** The broker took nothing more until now. */
  held(nowMs: number): void {
    this.#heldUntilMs = nowMs
  }

  finished(sent: number, nowMs: number): boolean {
    return sent >= this.#count || nowMs >= this.#endMs
  }

  /**
   * Lets input and output happen, until message `n` is due or a little later. It sleeps rather than spins: a spinning load
   * takes the processor from the broker that it measures.
   */
  async pause(n: number): Promise<void> {
    const waitMs = this.#rate === undefined ? 0 : this.#plannedMs(n) - performance.now()
    if (waitMs <= 0) await new Promise((resolve) => setImmediate(resolve))
    else await new Promise((resolve) => setTimeout(resolve, waitMs))
  }

  #plannedMs(n: number): number {
    return this.#startMs + (n * 1000) / this.#rate!
  }
}
