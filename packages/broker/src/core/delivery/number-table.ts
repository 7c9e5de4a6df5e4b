// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)

const PLACES_MIN = 16
/** Three of four. */
const LOAD_MAX = 0.75
/** With fewer than this part of its places in use for long, it shrinks. */
const SPARSE_SHARE = 32
/** What `get` answers for a key that is not there. */
export const ABSENT = -1

/**
 * From whole numbers that are not negative to such of 31 bits: what `Map` does, at a fraction of its time and memory while numbers
 * come and go quickly. Open addressing with linear probing, at most three quarters full.
 */
export class NumberTable {
  #size = 0
  /** By place: key + 1, or 0; and its value. */
  #keys = new Float64Array(PLACES_MIN)
  #values = new Int32Array(PLACES_MIN)
  /** Deletions in a row that left it nearly empty. */
  #sparse = 0

  get size(): number {
    return this.#size
  }

  /** Entries for which it has places. */
  get capacity(): number {
    return this.#keys.length * LOAD_MAX
  }

  get(key: number): number {
    const keys = this.#keys
    const place = placeOf(keys, key)
    return keys[place] === 0 ? ABSENT : this.#values[place]!
  }

  set(key: number, value: number): void {
    let place = placeOf(this.#keys, key)
    if (this.#keys[place] === 0) {
      if (this.#size >= this.capacity) {
        this.#resize(this.#keys.length * 2)
        place = placeOf(this.#keys, key)
      }
      this.#keys[place] = key + 1
      this.#size++
    }
    this.#values[place] = value
  }

  /** @returns its value, or ABSENT */
  delete(key: number): number {
    const keys = this.#keys
    const values = this.#values
    const mask = keys.length - 1
    let hole = placeOf(keys, key)
    if (keys[hole] === 0) return ABSENT
    const value = values[hole]!
    // What comes after the hole moves into it unless it would come before the place where it belongs.
    for (let place = (hole + 1) & mask; keys[place] !== 0; place = (place + 1) & mask) {
      const home = homeOf(keys, keys[place]! - 1)
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      keys[hole] = keys[place]!
      values[hole] = values[place]!
      hole = place
    }
    keys[hole] = 0
    this.#size--
    // A table that is filled and emptied again and again keeps its size.
    this.#sparse = this.#size * SPARSE_SHARE < keys.length ? this.#sparse + 1 : 0
    if (this.#sparse > 2 * keys.length && keys.length > PLACES_MIN) this.#resize(keys.length / 2)
    return value
  }

  /** In no order. Nothing may change meanwhile. */
  *keys(): Generator<number> {
    for (const key of this.#keys) if (key !== 0) yield key - 1
  }

  #resize(length: number): void {
    const before = this.#keys
    const valuesBefore = this.#values
    const keys = new Float64Array(length)
    const values = new Int32Array(length)
    for (let place = 0; place < before.length; place++) {
      if (before[place] === 0) continue
      const to = placeOf(keys, before[place]! - 1)
      keys[to] = before[place]!
      values[to] = valuesBefore[place]!
    }
    this.#keys = keys
    this.#values = values
    this.#sparse = 0
  }
}

/** Where a key is, or would be. */
function placeOf(keys: Float64Array, key: number): number {
  const mask = keys.length - 1
  let place = homeOf(keys, key)
  while (keys[place] !== 0 && keys[place] !== key + 1) place = (place + 1) & mask
  return place
}

/** Neighbours are spread (Fibonacci hashing): a run of them would have to be walked by each `delete`. */
function homeOf(keys: Float64Array, key: number): number {
  return Math.imul(key, 0x9e3779b1) >>> (Math.clz32(keys.length) + 1)
}
