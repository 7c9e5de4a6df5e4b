/** Disjoint ranges of offsets, coalesced and sorted: what was discarded inside a log. */
export class RangeSet {
  /** first, end (exclusive), first, end, ... */
  #bounds = new Float64Array(4)
  #used = 0

  get count(): number {
    return this.#used / 2
  }

  get bytes(): number {
    return this.#bounds.byteLength + 120
  }

  first(n: number): number {
    return this.#bounds[2 * n]!
  }

  end(n: number): number {
    return this.#bounds[2 * n + 1]!
  }

  add(first: number, end: number): void {
    if (first >= end) return
    // All ranges that touch [first, end] melt into one.
    const from = this.#search(first)
    let to = from
    let low = first
    let high = end
    while (to < this.#used && this.#bounds[to]! <= end) {
      low = Math.min(low, this.#bounds[to]!)
      high = Math.max(high, this.#bounds[to + 1]!)
      to += 2
    }
    if (to === from) this.#open(from)
    else if (to > from + 2) {
      this.#bounds.copyWithin(from + 2, to, this.#used)
      this.#used -= to - from - 2
    }
    this.#bounds[from] = low
    this.#bounds[from + 1] = high
  }

  /** Forgets everything below `start`. */
  removeBelow(start: number): void {
    let gone = 0
    while (gone < this.#used && this.#bounds[gone + 1]! <= start) gone += 2
    if (gone > 0) {
      this.#bounds.copyWithin(0, gone, this.#used)
      this.#used -= gone
      if (this.#used * 4 < this.#bounds.length && this.#bounds.length > 8)
        this.#bounds = this.#bounds.slice(0, Math.max(4, this.#used * 2))
    }
    if (this.#used > 0 && this.#bounds[0]! < start) this.#bounds[0] = start
  }

  /** How many offsets of [first, end) are in the set. */
  covered(first: number, end: number): number {
    let sum = 0
    for (let at = this.#search(first); at < this.#used && this.#bounds[at]! < end; at += 2) {
      sum += Math.max(0, Math.min(end, this.#bounds[at + 1]!) - Math.max(first, this.#bounds[at]!))
    }
    return sum
  }

  /** Index of the first range whose end is >= `offset`. */
  #search(offset: number): number {
    let low = 0
    let high = this.#used / 2
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#bounds[2 * middle + 1]! < offset) low = middle + 1
      else high = middle
    }
    return low * 2
  }

  #open(at: number): void {
    if (this.#used + 2 > this.#bounds.length) {
      const grown = new Float64Array(this.#bounds.length * 2)
      grown.set(this.#bounds.subarray(0, this.#used))
      this.#bounds = grown
    }
    this.#bounds.copyWithin(at + 2, at, this.#used)
    this.#used += 2
  }
}
