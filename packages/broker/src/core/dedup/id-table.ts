// hot path (packages/broker/test/core/dedup-throughput.mjs)

/** Slots of a table that holds little. A power of two. */
const CAPACITY_MIN = 16
/** Entries whose places are asked for at once when they are forgotten. */
const APPROACHED = 64

/**
 * Hashes in the order in which they came, found by value. A ring of entries, and an open-addressing index (linear probing, at most
 * half full) of where in the ring they are. An entry is named by its *ordinal*: it counts from the first that ever was, and is its
 * offset in the log of ids.
 *
 * The index repeats the first word of each hash: it is where most of a large table's time goes, waiting for memory, and so a
 * hash that is not there is told by one cache line, and an entry leaves without a look at the others.
 *
 * 52 bytes for each slot of the ring, whose size is the next power of two.
 */
export class IdTable {
  /** Ordinals of the oldest entry, and of the next to come. */
  start: number
  end: number
  #capacity = 0
  /** Slot of the oldest entry. */
  #first = 0
  /** By slot. */
  #hashes: Int32Array = NO_WORDS
  #offsets: Float64Array = NO_NUMBERS
  #timesMs: Float64Array = NO_NUMBERS
  #partitions: Uint32Array = new Uint32Array(0)
  /** Places, twice as many as slots: slot + 1, or 0; and the first word of its hash. */
  #index: Int32Array = NO_WORDS
  readonly #homes = new Int32Array(APPROACHED)
  readonly #touched = new Int32Array(APPROACHED)

  constructor(start: number) {
    this.start = start
    this.end = start
    this.#resize(CAPACITY_MIN)
  }

  get size(): number {
    return this.end - this.start
  }

  /** Memory that it takes. */
  get bytes(): number {
    return this.#capacity * 52
  }

  /** Of `count` hashes one after the other: asks memory for their places at once, instead of waiting for each when it is looked for. */
  approach(hashes: Int32Array, count: number): void {
    this.#approach(hashes, count, 4)
  }

  /** @returns the ordinal of the entry with the hash of four words at `hash[at]`, or -1 */
  find(hash: Int32Array, at: number): number {
    const index = this.#index
    const mask = index.length / 2 - 1
    const first = hash[at]!
    for (let place = first & mask; ; place = (place + 1) & mask) {
      const slot = index[place * 2]! - 1
      if (slot < 0) return -1
      if (index[place * 2 + 1] === first && this.#isAt(slot * 4, hash, at)) return this.start + this.#since(slot)
    }
  }

  /** Adds a hash that is not in it. @param timeMs not lower than that of the entry before */
  add(hash: Int32Array, at: number, partition: number, offset: number, timeMs: number): void {
    if (this.size === this.#capacity) this.#resize(this.#capacity * 2)
    const slot = this.#slot(this.end++)
    this.#hashes[slot * 4] = hash[at]!
    this.#hashes[slot * 4 + 1] = hash[at + 1]!
    this.#hashes[slot * 4 + 2] = hash[at + 2]!
    this.#hashes[slot * 4 + 3] = hash[at + 3]!
    this.#offsets[slot] = offset
    this.#timesMs[slot] = timeMs
    this.#partitions[slot] = partition
    this.#enter(slot)
  }

  offset(ordinal: number): number {
    return this.#offsets[this.#slot(ordinal)]!
  }

  timeMs(ordinal: number): number {
    return this.#timesMs[this.#slot(ordinal)]!
  }

  partition(ordinal: number): number {
    return this.#partitions[this.#slot(ordinal)]!
  }

  /** Word `n` (0..3) of its hash. */
  word(ordinal: number, n: number): number {
    return this.#hashes[this.#slot(ordinal) * 4 + n]!
  }

  /** Forgets the oldest `count` entries. */
  drop(count: number): void {
    for (let left = count; left > 0; left -= APPROACHED) {
      const some = Math.min(left, APPROACHED)
      for (let n = 0; n < some; n++) this.#homes[n] = this.word(this.start + n, 0)
      this.#approach(this.#homes, some, 1)
      for (let n = 0; n < some; n++) this.#dropOldest()
    }
  }

  #dropOldest(): void {
    const slot = this.#first
    this.#first = (slot + 1) & (this.#capacity - 1)
    this.start++
    const index = this.#index
    const mask = index.length / 2 - 1
    let hole = this.#hashes[slot * 4]! & mask
    while (index[hole * 2] !== slot + 1) hole = (hole + 1) & mask
    // Entries behind the hole move into it unless they would come before the place where they belong.
    for (let place = (hole + 1) & mask; index[place * 2] !== 0; place = (place + 1) & mask) {
      const home = index[place * 2 + 1]! & mask
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      index[hole * 2] = index[place * 2]!
      index[hole * 2 + 1] = index[place * 2 + 1]!
      hole = place
    }
    index[hole * 2] = 0
  }

  /** Gives memory back that it does not need any more. */
  shrink(): void {
    let capacity = this.#capacity
    while (capacity > CAPACITY_MIN && this.size * 4 <= capacity) capacity >>>= 1
    if (capacity < this.#capacity) this.#resize(capacity)
  }

  /** Writes what it reads, so that it is read. */
  #approach(hashes: Int32Array, count: number, words: number): void {
    const index = this.#index
    const mask = index.length / 2 - 1
    const touched = this.#touched
    for (let n = 0, at = 0; n < count; n++, at += words) touched[n & (APPROACHED - 1)] = index[(hashes[at]! & mask) * 2]!
  }

  #isAt(from: number, hash: Int32Array, at: number): boolean {
    const hashes = this.#hashes
    return hashes[from + 1] === hash[at + 1] && hashes[from + 2] === hash[at + 2] && hashes[from + 3] === hash[at + 3]
  }

  /** How many entries are older than that of the slot. */
  #since(slot: number): number {
    return (slot - this.#first) & (this.#capacity - 1)
  }

  #slot(ordinal: number): number {
    return (this.#first + (ordinal - this.start)) & (this.#capacity - 1)
  }

  #enter(slot: number): void {
    const index = this.#index
    const mask = index.length / 2 - 1
    const first = this.#hashes[slot * 4]!
    let place = first & mask
    while (index[place * 2] !== 0) place = (place + 1) & mask
    index[place * 2] = slot + 1
    index[place * 2 + 1] = first
  }

  #resize(capacity: number): void {
    const hashes = new Int32Array(capacity * 4)
    const offsets = new Float64Array(capacity)
    const timesMs = new Float64Array(capacity)
    const partitions = new Uint32Array(capacity)
    for (let ordinal = this.start, slot = 0; ordinal < this.end; ordinal++, slot++) {
      for (let n = 0; n < 4; n++) hashes[slot * 4 + n] = this.word(ordinal, n)
      offsets[slot] = this.offset(ordinal)
      timesMs[slot] = this.timeMs(ordinal)
      partitions[slot] = this.partition(ordinal)
    }
    this.#capacity = capacity
    this.#first = 0
    this.#hashes = hashes
    this.#offsets = offsets
    this.#timesMs = timesMs
    this.#partitions = partitions
    this.#index = new Int32Array(capacity * 4)
    for (let slot = 0; slot < this.size; slot++) this.#enter(slot)
  }
}

const NO_WORDS: Int32Array = new Int32Array(0)
const NO_NUMBERS: Float64Array = new Float64Array(0)
