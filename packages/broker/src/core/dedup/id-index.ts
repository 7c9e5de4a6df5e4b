// hot path (packages/broker/test/core/dedup-throughput.mjs)

/** Of a bucket, in words: first words of hashes, a mark, ordinals of the same entries, and one that is not used. 64 bytes, as lines of memory. */
const BUCKET_SHIFT = 4
const BUCKET_WORDS: number = 1 << BUCKET_SHIFT
const BUCKET_ENTRIES = 7
const MARK = 7
const ORDINALS = 8
/** Slots of the ring for each bucket. */
const BUCKET_SLOTS = 4
/** Entries that are added for each bucket that is cleaned. A power of two. */
const ADDED_PER_CLEANED = 16

/**
 * Where in a ring entries are, by the first words of their hashes. Waiting for memory is most of what a large table costs, so an entry takes
 * one wait in its life: it is put into the bucket of its hash, and leaves without a look at it. What an ordinal outside of those that
 * are alive stands for is free.
 *
 * Buckets that are full are passed, and marked with the last entry that passed them: while that is alive, a search goes on behind them.
 *
 * Ordinals are kept modulo 2^32. One that has left must not seem alive again when the count comes round, so buckets are cleaned one after
 * the other while entries are added: all of them long before that.
 */
export class IdIndex {
  readonly #words: Int32Array
  readonly #touched = new Int32Array(1)

  /** @param slots of the ring, a power of two. @param start the lowest ordinal that is alive */
  constructor(slots: number, start: number) {
    this.#words = new Int32Array((slots / BUCKET_SLOTS) * BUCKET_WORDS).fill((start - 1) | 0)
  }

  /** Memory that it takes. */
  get bytes(): number {
    return this.#words.byteLength
  }

  /** Asks memory for the buckets of `count` hashes of four words, at once. */
  approach(hashes: Int32Array, count: number): void {
    const words = this.#words
    const last = words.length - 1
    let touched = 0
    for (let n = 0; n < count; n++) {
      const bucket = (hashes[n * 4]! << BUCKET_SHIFT) & last
      // A bucket may lie across two lines.
      touched ^= words[bucket]! ^ words[bucket + BUCKET_WORDS - 1]!
    }
    // Writes what it read, so that it is read.
    this.#touched[0] = touched
  }

  /**
   * @param place that it found last, or -1
   * @param start of the ordinals that are alive, and how many those are
   * @returns the next place of an entry with that first word, or -1
   */
  find(first: number, place: number, start: number, size: number): number {
    const words = this.#words
    const last = words.length - 1
    const home = (first << BUCKET_SHIFT) & last
    let bucket = place < 0 ? home : place & -BUCKET_WORDS
    let at = place < 0 ? home : place + 1
    for (;;) {
      for (; at < bucket + BUCKET_ENTRIES; at++) {
        if (words[at] === first && isAlive(words[at + ORDINALS]!, start, size)) return at
      }
      if (!isAlive(words[bucket + MARK]!, start, size)) return -1
      bucket = (bucket + BUCKET_WORDS) & last
      if (bucket === home) return -1
      at = bucket
    }
  }

  /** Modulo 2^32. */
  ordinal(place: number): number {
    return this.#words[place + ORDINALS]!
  }

  /** Adds the entry that comes after those that are alive. */
  add(first: number, ordinal: number, start: number, size: number): void {
    if (ordinal % ADDED_PER_CLEANED === 0) this.#clean(ordinal / ADDED_PER_CLEANED, start, size)
    this.#enter(first, ordinal | 0, start, size)
  }

  /** Takes what is alive over from another, in no order. */
  addAll(other: IdIndex, start: number, size: number): void {
    const words = other.#words
    for (let bucket = 0; bucket < words.length; bucket += BUCKET_WORDS) {
      for (let at = bucket; at < bucket + BUCKET_ENTRIES; at++) {
        const ordinal = words[at + ORDINALS]!
        if (isAlive(ordinal, start, size)) this.#enter(words[at]!, ordinal, start, size)
      }
    }
  }

  #enter(first: number, ordinal: number, start: number, size: number): void {
    const words = this.#words
    const last = words.length - 1
    for (let bucket = (first << BUCKET_SHIFT) & last; ; bucket = (bucket + BUCKET_WORDS) & last) {
      for (let at = bucket; at < bucket + BUCKET_ENTRIES; at++) {
        if (isAlive(words[at + ORDINALS]!, start, size)) continue
        words[at] = first
        words[at + ORDINALS] = ordinal
        return
      }
      const mark = words[bucket + MARK]!
      if (!isAlive(mark, start, size) || ((ordinal - mark) | 0) > 0) words[bucket + MARK] = ordinal
    }
  }

  #clean(number: number, start: number, size: number): void {
    const words = this.#words
    const bucket = (number * BUCKET_WORDS) & (words.length - 1)
    for (let at = bucket + MARK; at < bucket + ORDINALS + BUCKET_ENTRIES; at++) {
      if (!isAlive(words[at]!, start, size)) words[at] = start - 1
    }
  }
}

function isAlive(ordinal: number, start: number, size: number): boolean {
  return (ordinal - start) >>> 0 < size
}
