import { formatCount, formatMegabytes, formatMilliseconds } from '../output/figures.ts'
import { LatencyHistogram } from './latency-histogram.ts'

/** Counts messages and their latencies, and shows the last second's on request. */
// hot path (millrace bench)
export class Meter {
  messages = 0
  readonly total: LatencyHistogram = new LatencyHistogram()
  readonly #interval = new LatencyHistogram()
  readonly #sizeBytes: number
  readonly #startedMs = performance.now()
  #endedMs = 0
  #shownMs: number = this.#startedMs
  #shownMessages = 0
  #awaited = Infinity
  #wake: (() => void) | undefined

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes
  }

  add(latencyMs: number, messages: number): void {
    this.messages += messages
    this.total.record(latencyMs, messages)
    this.#interval.record(latencyMs, messages)
    if (this.messages >= this.#awaited) this.#awoken()
  }

  /** Resolves when so many messages were counted, or no more will be. One waits at a time. */
  reached(messages: number): Promise<void> {
    if (this.messages >= messages) return Promise.resolve()
    this.#awaited = messages
    return new Promise((resolve) => (this.#wake = resolve))
  }

  /** Nothing more is counted: the consumer has stopped. */
  stopped(): void {
    this.#awoken()
  }

  end(): void {
    this.#endedMs = performance.now()
  }

  #awoken(): void {
    this.#awaited = Infinity
    this.#wake?.()
  }

  get elapsedMs(): number {
    return this.#endedMs - this.#startedMs
  }

  /** One line about the time since the last one. */
  progress(): string {
    const now = performance.now()
    const seconds = (now - this.#shownMs) / 1000
    const perSecond = (this.messages - this.#shownMessages) / seconds
    const line = [
      `${Math.round((now - this.#startedMs) / 1000)}s`.padStart(4),
      `${formatCount(perSecond)} msg/s`.padStart(17),
      `${formatMegabytes(perSecond * this.#sizeBytes)}/s`.padStart(12),
      `p50 ${formatMilliseconds(this.#interval.percentileMs(0.5))}`.padStart(14),
      `p99 ${formatMilliseconds(this.#interval.percentileMs(0.99))}`.padStart(14),
    ].join('  ')
    this.#shownMs = now
    this.#shownMessages = this.messages
    this.#interval.clear()
    return line
  }
}
