// hot path (packages/broker/test/core/dedup-throughput.mjs)

const CAPACITY_MIN = 16

/**
 * Where the messages of ids are, and when these came, for whole *rows* of ids: those that came at one time for messages side by side
 * in one partition. Ids are named by their ordinals, as in `IdTable`. A ring of rows, 28 bytes each.
 */
export class IdRows {
  #capacity = CAPACITY_MIN
  #first = 0
  #count = 0
  /** By slot: ordinal of the first id, and what is true of it. */
  #ordinals = new Float64Array(CAPACITY_MIN)
  #offsets = new Float64Array(CAPACITY_MIN)
  #timesMs = new Float64Array(CAPACITY_MIN)
  #partitions = new Uint32Array(CAPACITY_MIN)
  /** The row that was asked for last, counted from the oldest: it is asked for again. */
  #last = 0

  /** Memory that it takes. */
  get bytes(): number {
    return this.#capacity * 28
  }

  /** The next id. @param timeMs not lower than that of the id before */
  add(ordinal: number, partition: number, offset: number, timeMs: number): void {
    if (this.#count > 0) {
      const slot = this.#slot(this.#count - 1)
      const next = this.#offsets[slot]! + ordinal - this.#ordinals[slot]!
      if (offset === next && this.#timesMs[slot] === timeMs && this.#partitions[slot] === partition) return
    }
    if (this.#count === this.#capacity) this.#resize(this.#capacity * 2)
    const slot = this.#slot(this.#count++)
    this.#ordinals[slot] = ordinal
    this.#offsets[slot] = offset
    this.#timesMs[slot] = timeMs
    this.#partitions[slot] = partition
  }

  offset(ordinal: number): number {
    const slot = this.#slot(this.#rowOf(ordinal))
    return this.#offsets[slot]! + ordinal - this.#ordinals[slot]!
  }

  timeMs(ordinal: number): number {
    return this.#timesMs[this.#slot(this.#rowOf(ordinal))]!
  }

  partition(ordinal: number): number {
    return this.#partitions[this.#slot(this.#rowOf(ordinal))]!
  }

  /** One past the last id of its row, or `end` if that is before. */
  rowEnd(ordinal: number, end: number): number {
    const next = this.#rowOf(ordinal) + 1
    return next === this.#count ? end : Math.min(end, this.#ordinals[this.#slot(next)]!)
  }

  /** Ids below are not asked for any more. */
  drop(start: number): void {
    let gone = 0
    while (gone + 1 < this.#count && this.#ordinals[this.#slot(gone + 1)]! <= start) gone++
    this.#first = this.#slot(gone)
    this.#count -= gone
    this.#last = Math.max(0, this.#last - gone)
  }

  /** Gives memory back that it does not need any more. */
  shrink(): void {
    let capacity = this.#capacity
    while (capacity > CAPACITY_MIN && this.#count * 4 <= capacity) capacity >>>= 1
    if (capacity < this.#capacity) this.#resize(capacity)
  }

  #rowOf(ordinal: number): number {
    if (this.#has(this.#last, ordinal)) return this.#last
    let low = 0
    let high = this.#count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#ordinals[this.#slot(middle)]! <= ordinal) low = middle
      else high = middle - 1
    }
    this.#last = low
    return low
  }

  #has(row: number, ordinal: number): boolean {
    if (this.#ordinals[this.#slot(row)]! > ordinal) return false
    return row + 1 >= this.#count || this.#ordinals[this.#slot(row + 1)]! > ordinal
  }

  #slot(row: number): number {
    return (this.#first + row) & (this.#capacity - 1)
  }

  #resize(capacity: number): void {
    const moved = <T extends Uint32Array | Float64Array>(from: T, to: T): T => {
      for (let row = 0; row < this.#count; row++) to[row] = from[this.#slot(row)]!
      return to
    }
    this.#ordinals = moved(this.#ordinals, new Float64Array(capacity))
    this.#offsets = moved(this.#offsets, new Float64Array(capacity))
    this.#timesMs = moved(this.#timesMs, new Float64Array(capacity))
    this.#partitions = moved(this.#partitions, new Uint32Array(capacity))
    this.#capacity = capacity
    this.#first = 0
  }
}
