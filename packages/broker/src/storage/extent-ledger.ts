import type { JournalExtent } from '../ports/journal.ts'

/** How much of a journal extent is alive, as far as is known. */
export interface LedgerExtent {
  readonly first: number
  next: number
  /** Bytes of batches in it. */
  bytes: number
  /** Weight of what is alive in it: bytes, where a batch that n logs share counts 1/n for each. */
  live: number
  /** How much of what was taken off `live` is only known to have been somewhere near: the true figure lies in live +- drift. */
  drift: number
  /** `live` when it was last looked at closely. */
  seenLive: number
  /** The most that `live` has been, as far as is known; Infinity when that was before a restart. */
  peakLive: number
}

/**
 * Keeps the live weight of each extent. The sum is exact: what is taken off is what was put on. Where it is taken off is a
 * guess for whatever lies in sealed runs. It only chooses what garbage collection looks at first: before an extent is given up
 * its directories are read, so an error here costs time, never data.
 *
 * Asking the journal for its extents after every commit would cost too much, so the newest commits are kept one by one
 * until `refresh` folds them into their extents.
 */
export class ExtentLedger {
  #extents: LedgerExtent[] = []
  /** Live weight of the commits windowFirst, windowFirst + 1, ... */
  #window = new Float64Array(64)
  #windowFirst = 0
  #windowCount = 0
  #liveBytes = 0

  /** In sequence order. Call `refresh` first. */
  get extents(): readonly LedgerExtent[] {
    return this.#extents
  }

  /** Of the journal as a whole. What the sum of fractions is off by does not count. */
  get liveBytes(): number {
    return Math.max(0, this.#liveBytes)
  }

  reset(next: number): void {
    this.#extents = []
    this.#windowFirst = next
    this.#windowCount = 0
    this.#liveBytes = 0
  }

  /** A commit is about to be accounted for. */
  addCommit(seq: number): void {
    const n = seq - this.#windowFirst
    while (n >= this.#window.length) {
      const grown = new Float64Array(this.#window.length * 2)
      grown.set(this.#window)
      this.#window = grown
    }
    this.#window.fill(0, this.#windowCount, n + 1)
    this.#windowCount = n + 1
  }

  /** hot path: `weight` more (or less) is alive in commit `seq`. */
  add(seq: number, weight: number): void {
    this.#liveBytes += weight
    this.#attribute(seq, weight)
  }

  /** `weight` more (or less) is alive in the commits `first..last`, who knows where. */
  spread(first: number, last: number, weight: number): void {
    if (weight === 0) return
    this.#liveBytes += weight
    const from = this.#find(first)
    const inWindow = Math.max(0, last + 1 - Math.max(first, this.#windowFirst))
    let commits = inWindow
    let to = from
    for (; to < this.#extents.length && this.#extents[to]!.first <= last; to++)
      commits += overlap(this.#extents[to]!, first, last)
    const isExact = to - from + (inWindow > 0 ? 1 : 0) <= 1
    for (let n = from; n < to; n++) {
      const extent = this.#extents[n]!
      const share = (weight * overlap(extent, first, last)) / commits
      extent.live += share
      if (!isExact) extent.drift += Math.abs(share)
    }
    if (inWindow > 0) this.#attribute(last, (weight * inWindow) / commits)
  }

  /** Folds the newest commits into the extents as the journal has them now. */
  refresh(extents: readonly JournalExtent[]): void {
    const old = new Map(this.#extents.map((extent) => [extent.first, extent]))
    this.#extents = extents.map(({ first, next, bytes }) => {
      const known = old.get(first)
      if (known === undefined) return { first, next, bytes, live: 0, drift: 0, seenLive: Infinity, peakLive: 0 }
      known.next = next
      known.bytes = bytes
      return known
    })
    const windowEnd = this.#windowFirst + this.#windowCount
    const seqs = this.#windowFirst
    this.#windowFirst = windowEnd
    this.#windowCount = 0
    for (let seq = seqs; seq < windowEnd; seq++) {
      if (this.#window[seq - seqs] !== 0) this.#attribute(seq, this.#window[seq - seqs]!)
    }
    this.#balance()
    for (const extent of this.#extents) extent.peakLive = Math.max(extent.peakLive, extent.live)
  }

  /** Takes over what a checkpoint says; later commits go on top of it. Call before `refresh`. */
  restore(first: number, next: number, live: number, drift: number): void {
    this.#extents.push({ first, next, bytes: 0, live, drift, seenLive: Infinity, peakLive: Infinity })
    this.#liveBytes += live
  }

  /**
   * Extents that went, and those that were looked at closely, took with them what had been guessed wrongly about them. What the
   * others now have too much or too little together goes to the newest, which is not looked at yet: so a checkpoint has the true sum.
   */
  #balance(): void {
    const newest = this.#extents.at(-1)
    if (newest === undefined) return
    let missing = this.#liveBytes
    for (const extent of this.#extents) missing -= extent.live
    newest.live += missing
    newest.drift += Math.abs(missing)
  }

  #attribute(seq: number, weight: number): void {
    if (seq >= this.#windowFirst) {
      this.#window[seq - this.#windowFirst]! += weight
      return
    }
    const n = this.#find(seq)
    if (n < this.#extents.length && this.#extents[n]!.first <= seq) this.#extents[n]!.live += weight
  }

  /** Index of the extent that holds `seq`, or of the next one after it. */
  #find(seq: number): number {
    let low = 0
    let high = this.#extents.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#extents[middle]!.next <= seq) low = middle + 1
      else high = middle
    }
    return low
  }
}

function overlap(extent: LedgerExtent, first: number, last: number): number {
  return Math.min(extent.next, last + 1) - Math.max(extent.first, first)
}
