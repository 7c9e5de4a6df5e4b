/** How much the last time counts in an average, after the first few. */
const LAST_SHARE = 0.2
/** Before either way is judged. */
const FIRST_TRIES = 2
/** The slower way is tried again after so many times of what it cost more, and not sooner than this. */
const PATIENCE = 20
const PATIENCE_MS_MIN = 100

/** Which of two ways of moving bytes takes less time, which differs between machines, and on one from minute to minute. */
export class FasterWay {
  readonly #allowance: number
  /** Milliseconds per byte, on average. */
  readonly #costs: [number, number] = [0, 0]
  readonly #times: [number, number] = [0, 0]
  #tryAgainMs = 0

  /** @param allowance so many times as long may the second way take, for what else is good about it */
  constructor(allowance = 1) {
    this.#allowance = allowance
  }

  /** @returns the way to go now: the faster one, or the other to see whether it still is slower */
  choose(nowMs: number): 0 | 1 {
    if (this.#times[0] < FIRST_TRIES) return 0
    if (this.#times[1] < FIRST_TRIES) return 1
    const faster = this.#faster
    return nowMs < this.#tryAgainMs ? faster : other(faster)
  }

  took(way: 0 | 1, bytes: number, ms: number, nowMs: number): void {
    const share = Math.max(LAST_SHARE, 1 / ++this.#times[way])
    this.#costs[way] += (ms / bytes - this.#costs[way]) * share
    const faster = this.#faster
    if (way === faster) return
    const lostMs = ms - this.#costs[faster] * bytes
    this.#tryAgainMs = nowMs + Math.max(PATIENCE_MS_MIN, lostMs * PATIENCE)
  }

  get #faster(): 0 | 1 {
    return this.#costs[1] < this.#costs[0] * this.#allowance ? 1 : 0
  }
}

function other(way: 0 | 1): 0 | 1 {
  return way === 0 ? 1 : 0
}
