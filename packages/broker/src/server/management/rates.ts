/** How long figures are compared over, at least. */
const INTERVAL_MS = 1000
const SAMPLES_MAX = 100_000

interface Sample {
  readonly count: number
  readonly atMs: number
  readonly rate: number
}

/** How fast counters rise, measured from one look at them to the next. Nothing is sampled while nobody looks. */
export class Rates {
  readonly #nowMs: () => number
  readonly #samples = new Map<string, Sample>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** @returns per second, since the look before; 0 at the first */
  of(key: string, count: number): number {
    const atMs = this.#nowMs()
    const last = this.#samples.get(key)
    if (last !== undefined && atMs - last.atMs < INTERVAL_MS) return last.rate
    const rate = last === undefined || count < last.count ? 0 : ((count - last.count) * 1000) / (atMs - last.atMs)
    this.#samples.delete(key)
    this.#samples.set(key, { count, atMs, rate })
    // The one that was not looked at for longest.
    if (this.#samples.size > SAMPLES_MAX) this.#samples.delete(this.#samples.keys().next().value!)
    return rate
  }

  /** Each figure, with its rate beside it as RabbitMQ names it: `publish`, `publish_details`. @param of what has them */
  withDetails(of: string, counts: Readonly<Record<string, number>>): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
      Object.entries(counts).flatMap(([name, count]) => [
        [name, count] as const,
        [`${name}_details`, { rate: this.of(`${of} ${name}`, count) }] as const,
      ]),
    )
  }
}
