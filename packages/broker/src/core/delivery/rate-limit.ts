/** What was not used may be caught up on for so long. */
const BURST_MS = 100
/** What sums of fractions may miss: at the time of `nextMs` there is a whole token. */
const TOLERANCE = 1e-6

/** Lets so many messages through per second, spread evenly (a token bucket). Time is the monotonic clock. */
export class RateLimit {
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #atMs: number

  constructor(perSecond: number, nowMs: number) {
    this.#perMs = perSecond / 1000
    this.#burst = 1 + this.#perMs * BURST_MS
    this.#tokens = 1
    this.#atMs = nowMs
  }

  /** How many messages may go now. */
  available(nowMs: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
    return Math.floor(this.#tokens + TOLERANCE)
  }

  took(messages: number): void {
    this.#tokens -= messages
  }

  /** When the next message may go. */
  nextMs(nowMs: number): number {
    return nowMs + Math.max(0, (1 - this.#tokens) / this.#perMs)
  }
}
