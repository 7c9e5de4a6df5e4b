// hot path (packages/broker/test/core/dedup-throughput.mjs)
import { IdIndex } from './id-index.ts'
import { IdRows } from './id-rows.ts'

/** Slots of a table that holds little. A power of two. */
const CAPACITY_MIN = 16

/**
 * Hashes in the order in which they came, found by value: a ring of entries, and an index of where in it they are. An entry is named by
 * its *ordinal*: it counts from the first that ever was, and is its offset in the log of ids.
 *
 * 32 bytes for each slot of the ring, whose size is the next power of two, and what `IdRows` takes.
 */
export class IdTable {
  /** Ordinals of the oldest entry, and of the next to come. */
  start: number
  end: number
  #capacity = CAPACITY_MIN
  /** Slot of the oldest entry. */
  #first = 0
  /** By slot. */
  #hashes = new Int32Array(CAPACITY_MIN * 4)
  #index: IdIndex
  readonly #rows = new IdRows()

  constructor(start: number) {
    this.start = start
    this.end = start
    this.#index = new IdIndex(CAPACITY_MIN, start)
  }

  get size(): number {
    return this.end - this.start
  }

  /** Memory that it takes. */
  get bytes(): number {
    return this.#capacity * 16 + this.#index.bytes + this.#rows.bytes
  }

  /** Of `count` hashes one after the other: asks memory for their places at once, instead of waiting for each when it is looked for. */
  approach(hashes: Int32Array, count: number): void {
    this.#index.approach(hashes, count)
  }

  /** @returns the ordinal of the entry with the hash of four words at `hash[at]`, or -1 */
  find(hash: Int32Array, at: number): number {
    const index = this.#index
    const { start, size } = this
    const first = hash[at]!
    for (let place = index.find(first, -1, start, size); place >= 0; place = index.find(first, place, start, size)) {
      const ordinal = start + ((index.ordinal(place) - start) >>> 0)
      if (this.#isAt(this.#slot(ordinal) * 4, hash, at)) return ordinal
    }
    return -1
  }

  /** Adds a hash that is not in it. @param timeMs not lower than that of the entry before */
  add(hash: Int32Array, at: number, partition: number, offset: number, timeMs: number): void {
    if (this.size === this.#capacity) this.#resize(this.#capacity * 2)
    const slot = this.#slot(this.end)
    this.#hashes[slot * 4] = hash[at]!
    this.#hashes[slot * 4 + 1] = hash[at + 1]!
    this.#hashes[slot * 4 + 2] = hash[at + 2]!
    this.#hashes[slot * 4 + 3] = hash[at + 3]!
    this.#rows.add(this.end, partition, offset, timeMs)
    this.#index.add(hash[at]!, this.end, this.start, this.size)
    this.end++
  }

  offset(ordinal: number): number {
    return this.#rows.offset(ordinal)
  }

  timeMs(ordinal: number): number {
    return this.#rows.timeMs(ordinal)
  }

  partition(ordinal: number): number {
    return this.#rows.partition(ordinal)
  }

  /** One past the last of those after it that came with it, for messages side by side. */
  rowEnd(ordinal: number): number {
    return this.#rows.rowEnd(ordinal, this.end)
  }

  /** Writes the hashes of the entries `from..end - 1`, four words each. */
  writeHashes(from: number, end: number, to: DataView, at: number): void {
    const hashes = this.#hashes
    let next = at
    for (let ordinal = from; ordinal < end; ordinal++, next += 16) {
      const word = this.#slot(ordinal) * 4
      to.setInt32(next, hashes[word]!)
      to.setInt32(next + 4, hashes[word + 1]!)
      to.setInt32(next + 8, hashes[word + 2]!)
      to.setInt32(next + 12, hashes[word + 3]!)
    }
  }

  /** Forgets the oldest `count` entries. */
  drop(count: number): void {
    this.#first = (this.#first + count) & (this.#capacity - 1)
    this.start += count
    this.#rows.drop(this.start)
  }

  /** Gives memory back that it does not need any more. */
  shrink(): void {
    let capacity = this.#capacity
    while (capacity > CAPACITY_MIN && this.size * 4 <= capacity) capacity >>>= 1
    if (capacity < this.#capacity) this.#resize(capacity)
    this.#rows.shrink()
  }

  #isAt(from: number, hash: Int32Array, at: number): boolean {
    const hashes = this.#hashes
    return hashes[from + 1] === hash[at + 1] && hashes[from + 2] === hash[at + 2] && hashes[from + 3] === hash[at + 3]
  }

  #slot(ordinal: number): number {
    return (this.#first + (ordinal - this.start)) & (this.#capacity - 1)
  }

  #resize(capacity: number): void {
    const { start, size } = this
    // What wraps around in the ring comes in two pieces.
    const first = this.#first
    const front = Math.min(size, this.#capacity - first)
    const hashes = new Int32Array(capacity * 4)
    hashes.set(this.#hashes.subarray(first * 4, (first + front) * 4))
    hashes.set(this.#hashes.subarray(0, (size - front) * 4), front * 4)
    this.#hashes = hashes
    this.#capacity = capacity
    this.#first = 0
    const index = new IdIndex(capacity, start)
    index.addAll(this.#index, start, size)
    this.#index = index
  }
}
