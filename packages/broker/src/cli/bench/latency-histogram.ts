/**
 * Counts latencies in buckets whose width grows with the value, so that any percentile is within 1% and recording costs
 * one array write. Unit: microseconds, up to 2^31.
 */
// hot path (millrace bench)
const EXACT = 256
const STEPS = 128
const BUCKETS: number = EXACT + STEPS * 23

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #maxUs = 0

  get count(): number {
    return this.#count
  }

  get maxMs(): number {
    return this.#maxUs / 1000
  }

  record(latencyMs: number, times = 1): void {
    const us = latencyMs <= 0 ? 0 : Math.min(Math.round(latencyMs * 1000), 0x7fffffff)
    this.#counts[bucketOf(us)]! += times
    this.#count += times
    if (us > this.#maxUs) this.#maxUs = us
  }

  /** @param share 0.99 for p99 @returns the upper edge of the bucket, in milliseconds; 0 when nothing was recorded */
  percentileMs(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#count))
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!
      if (seen >= rank) return Math.min(upperEdgeUs(bucket), this.#maxUs) / 1000
    }
    return 0
  }

  clear(): void {
    this.#counts.fill(0)
    this.#count = 0
    this.#maxUs = 0
  }
}

/** Values below 256 have a bucket each; above, every doubling has 128 buckets. */
function bucketOf(us: number): number {
  if (us < EXACT) return us
  const shift = 24 - Math.clz32(us)
  return EXACT + (shift - 1) * STEPS + (us >>> shift) - STEPS
}

function upperEdgeUs(bucket: number): number {
  if (bucket < EXACT) return bucket
  const shift = Math.floor((bucket - EXACT) / STEPS) + 1
  const step = ((bucket - EXACT) % STEPS) + STEPS
  return (step + 1) * 2 ** shift - 1
}
