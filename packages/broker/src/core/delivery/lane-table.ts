// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)

/** Stands where a key has no lane. */
export const NO_LANE = -1

const PLACES_MIN = 32
/** By how much it grows: keys are spread over any number of places, so there is no need to double. */
const GROWTH = 1.5

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
    let hole = placeOf(cells, key | 0)
    // What comes after the hole moves into it unless it would come before the place where it belongs.
    for (let place = after(cells, hole); cells[place] !== 0; place = after(cells, place)) {
      const home = homeOf(cells, cells[place + 1]!)
      if (stepsTo(cells, home, place) < stepsTo(cells, hole, place)) continue
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
    const cells = new Int32Array(Math.ceil((before.length / 2) * GROWTH) * 2)
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
  let place = homeOf(cells, key)
  while (cells[place] !== 0 && cells[place + 1] !== key) place = after(cells, place)
  return place
}

/** Keys are hashes, and so spread: as far along as the key is among all of 32 bits. */
function homeOf(cells: Int32Array, key: number): number {
  return (((key >>> 0) * (cells.length * 2 ** -33)) | 0) << 1
}

/** The next place, in a circle. */
function after(cells: Int32Array, place: number): number {
  return place + 2 === cells.length ? 0 : place + 2
}

/** How far it is from one place to another, in that circle. */
function stepsTo(cells: Int32Array, from: number, to: number): number {
  return to >= from ? to - from : to - from + cells.length
}
