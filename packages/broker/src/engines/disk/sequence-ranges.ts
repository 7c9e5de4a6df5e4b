/** A set of sequences as disjoint ranges in order. Ranges that touch are merged. */
export class SequenceRanges {
  /** Inclusive: #firsts[i] .. #lasts[i]. */
  readonly #firsts: number[] = []
  readonly #lasts: number[] = []

  has(seq: number): boolean {
    const at = this.#indexOf(seq)
    return at < this.#firsts.length && this.#firsts[at]! <= seq
  }

  /** The lowest sequence >= 0 that is not in the set. */
  lowestMissing(): number {
    return this.#firsts[0] === 0 ? this.#lasts[0]! + 1 : 0
  }

  /** Adds first..last and calls back for each part that was not in the set before. */
  add(first: number, last: number, onAdded: (first: number, last: number) => void): void {
    if (first > last) return
    const from = this.#indexOf(first)
    let to = from
    let missing = first
    for (; to < this.#firsts.length && this.#firsts[to]! <= last; to++) {
      if (missing < this.#firsts[to]!) onAdded(missing, this.#firsts[to]! - 1)
      missing = this.#lasts[to]! + 1
    }
    if (missing <= last) onAdded(missing, last)
    this.#merge(from, to, first, last)
  }

  /** Replaces the ranges from..to-1, which all touch first..last, by one; takes in the neighbours that it touches. */
  #merge(from: number, to: number, first: number, last: number): void {
    let start = from
    let end = to
    if (start > 0 && this.#lasts[start - 1] === first - 1) start--
    if (end < this.#firsts.length && this.#firsts[end] === last + 1) end++
    const mergedFirst = start < end ? Math.min(first, this.#firsts[start]!) : first
    const mergedLast = start < end ? Math.max(last, this.#lasts[end - 1]!) : last
    this.#firsts.splice(start, end - start, mergedFirst)
    this.#lasts.splice(start, end - start, mergedLast)
  }

  /** Index of the first range that ends at or after `seq`. */
  #indexOf(seq: number): number {
    let low = 0
    let high = this.#lasts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#lasts[middle]! < seq) low = middle + 1
      else high = middle
    }
    return low
  }
}
