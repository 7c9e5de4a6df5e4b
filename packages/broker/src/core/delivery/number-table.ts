// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)

const CAPACITY_MIN = 16
/** What `get` answers for a key that is not there. */
export const ABSENT = -1

/**
 * From whole numbers that are not negative to numbers of that kind: what `Map` does, at a fraction of its time and memory while numbers
 * come and go quickly. Open addressing with linear probing, at most half full.
 */
export class NumberTable {
  #size = 0
  /** Places: key + 1, or 0; and its value. */
  #cells = new Float64Array(CAPACITY_MIN * 2)
  /** Deletions in a row that left it nearly empty. */
  #sparse = 0

  get size(): number {
    return this.#size
  }

  /** Entries for which it has places. */
  get capacity(): number {
    return this.#cells.length / 4
  }

  get(key: number): number {
    const cells = this.#cells
    const place = placeOf(cells, key)
    return cells[place] === 0 ? ABSENT : cells[place + 1]!
  }

  set(key: number, value: number): void {
    let place = placeOf(this.#cells, key)
    if (this.#cells[place] === 0) {
      if (this.#size * 4 >= this.#cells.length) {
        this.#resize(this.#cells.length * 4)
        place = placeOf(this.#cells, key)
      }
      this.#cells[place] = key + 1
      this.#size++
    }
    this.#cells[place + 1] = value
  }

  /** @returns its value, or ABSENT */
  delete(key: number): number {
    const cells = this.#cells
    const mask = cells.length - 1
    let hole = placeOf(cells, key)
    if (cells[hole] === 0) return ABSENT
    const value = cells[hole + 1]!
    // What comes after the hole moves into it unless it would come before the place where it belongs.
    for (let place = (hole + 2) & mask; cells[place] !== 0; place = (place + 2) & mask) {
      const home = homeOf(cells, cells[place]! - 1)
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      cells[hole] = cells[place]!
      cells[hole + 1] = cells[place + 1]!
      hole = place
    }
    cells[hole] = 0
    this.#size--
    // A table that is filled and emptied again and again keeps its size.
    this.#sparse = this.#size * 128 < cells.length ? this.#sparse + 1 : 0
    if (this.#sparse > cells.length && cells.length > CAPACITY_MIN * 2) this.#resize(cells.length / 4)
    return value
  }

  /** In no order. Nothing may change meanwhile. */
  *keys(): Generator<number> {
    for (let place = 0; place < this.#cells.length; place += 2) if (this.#cells[place] !== 0) yield this.#cells[place]! - 1
  }

  #resize(length: number): void {
    const before = this.#cells
    const cells = new Float64Array(Math.max(length, CAPACITY_MIN * 2))
    for (let place = 0; place < before.length; place += 2) {
      if (before[place] === 0) continue
      const to = placeOf(cells, before[place]! - 1)
      cells[to] = before[place]!
      cells[to + 1] = before[place + 1]!
    }
    this.#cells = cells
    this.#sparse = 0
  }
}

/** Where a key is, or would be. */
function placeOf(cells: Float64Array, key: number): number {
  const mask = cells.length - 1
  let place = homeOf(cells, key)
  while (cells[place] !== 0 && cells[place] !== key + 1) place = (place + 2) & mask
  return place
}

/** Neighbours are spread (Fibonacci hashing): a run of them would have to be walked by each `delete`. */
function homeOf(cells: Float64Array, key: number): number {
  return (Math.imul(key, 0x9e3779b1) >>> Math.clz32(cells.length - 1)) & -2
}
