// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)

/** Stands where a key has no lane. */
export const NO_LANE = -1

const PLACES_MIN = 32

/**
 * Lanes by key, for keys of 32 bits: open addressing with linear probing, at most half full. It is small and asked for many keys at a
 * time, because waiting for memory is most of what it costs.
 */
export class LaneTable {
  size = 0
  /** Pairs: lane + 1, or 0; and its key. */
  #cells = new Int32Array(PLACES_MIN * 2)
  readonly #touched = new Int32Array(1)

  /** Asks memory for the places of `count` keys at once, instead of waiting for each when it is looked for. */
  approach(keys: Float64Array, count: number): void {
    const cells = this.#cells
    let touched = 0
    for (let n = 0; n < count; n++) touched ^= cells[homeOf(cells, keys[n]! | 0)]!
    // Writes what it read, so that it is read.
    this.#touched[0] = touched
  }

  get(key: number): number {
    const cells = this.#cells
    return cells[placeOf(cells, key | 0)]! - 1
  }

  /** A key that is not in it gets a lane. */
  add(key: number, lane: number): void {
    if (this.size * 4 >= this.#cells.length) this.#grow()
    const place = placeOf(this.#cells, key | 0)
    this.#cells[place] = lane + 1
    this.#cells[place + 1] = key
    this.size++
  }

  delete(key: number): void {
    const cells = this.#cells
    const mask = cells.length - 1
    let hole = placeOf(cells, key | 0)
    // What comes after the hole moves into it unless it would come before the place where it belongs.
    for (let place = (hole + 2) & mask; cells[place] !== 0; place = (place + 2) & mask) {
      const home = homeOf(cells, cells[place + 1]!)
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      cells[hole] = cells[place]!
      cells[hole + 1] = cells[place + 1]!
      hole = place
    }
    cells[hole] = 0
    this.size--
  }

  clear(): void {
    this.#cells = new Int32Array(PLACES_MIN * 2)
    this.size = 0
  }

  #grow(): void {
    const before = this.#cells
    const cells = new Int32Array(before.length * 2)
    for (let at = 0; at < before.length; at += 2) {
      if (before[at] === 0) continue
      const place = placeOf(cells, before[at + 1]!)
      cells[place] = before[at]!
      cells[place + 1] = before[at + 1]!
    }
    this.#cells = cells
  }
}

/** Where a key is, or would be. */
function placeOf(cells: Int32Array, key: number): number {
  const mask = cells.length - 1
  let place = homeOf(cells, key)
  while (cells[place] !== 0 && cells[place + 1] !== key) place = (place + 2) & mask
  return place
}

/** Keys are hashes, and so spread. */
function homeOf(cells: Int32Array, key: number): number {
  return (key << 1) & (cells.length - 1)
}
