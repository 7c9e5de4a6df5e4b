/**
 * Disjoint ranges of offsets in order, each an object that its owner may know by reference. A list of sorted chunks: a
 * million ranges cost two short binary searches and one move of at most CHUNK_RANGES references per change.
 */
// hot path (packages/broker/test/core/throughput.mjs)
import { assert } from '../../base/assert.ts'

const CHUNK_RANGES = 256

/** `first..last`, inclusive. Only a RangeMap changes the bounds of a range that it holds. */
export interface OffsetRange {
  first: number
  last: number
}

export class RangeMap<T extends OffsetRange> {
  /** Never holds an empty chunk. Made on first use: most maps of most queues stay empty. */
  #chunks: T[][] | undefined
  #ranges = 0
  #offsets = 0

  /** How many ranges. */
  get ranges(): number {
    return this.#ranges
  }

  /** How many offsets, over all ranges. */
  get offsets(): number {
    return this.#offsets
  }

  first(): T | undefined {
    return this.#ranges === 0 ? undefined : this.#chunks![0]![0]
  }

  last(): T | undefined {
    return this.#ranges === 0 ? undefined : this.#chunks!.at(-1)!.at(-1)
  }

  /** The first range that ends at or after `offset`. */
  from(offset: number): T | undefined {
    if (this.#ranges === 0) return undefined
    const front = this.#chunks![0]![0]!
    if (front.last >= offset) return front
    const chunkAt = this.#chunkAt(offset)
    const chunk = this.#chunks![chunkAt]
    return chunk?.[indexIn(chunk, offset)]
  }

  /** The last range that begins before `offset`. */
  before(offset: number): T | undefined {
    if (this.#ranges === 0) return undefined
    const chunks = this.#chunks!
    let chunkAt = this.#chunkAt(offset)
    if (chunkAt === chunks.length || chunks[chunkAt]![0]!.first >= offset) chunkAt--
    const chunk = chunks[chunkAt]
    if (chunk === undefined) return undefined
    let at = indexIn(chunk, offset)
    if (at === chunk.length || chunk[at]!.first >= offset) at--
    return chunk[at]
  }

  /** The range that ends right before `offset`, if there is one. */
  endingBefore(offset: number): T | undefined {
    const range = this.from(offset - 1)
    return range !== undefined && range.last === offset - 1 ? range : undefined
  }

  /** Adds a range that overlaps no other. */
  insert(range: T): void {
    assert(range.first <= range.last, 'a range is not empty')
    this.#ranges++
    this.#offsets += range.last - range.first + 1
    const chunks = (this.#chunks ??= [])
    let chunkAt = this.#chunkAt(range.first)
    if (chunkAt === chunks.length) {
      if (chunkAt === 0) {
        chunks.push([range])
        return
      }
      chunkAt--
    }
    const chunk = chunks[chunkAt]!
    const at = indexIn(chunk, range.first)
    assert(at === chunk.length || chunk[at]!.first > range.last, 'ranges do not overlap')
    if (at < chunk.length) chunk.splice(at, 0, range)
    else if (chunk.length < CHUNK_RANGES) chunk.push(range)
    else {
      // Most come in order. The chunk stays full, and gives back what it has beyond that.
      chunks[chunkAt] = chunk.slice()
      chunks.splice(chunkAt + 1, 0, [range])
    }
    if (chunk.length > CHUNK_RANGES) chunks.splice(chunkAt + 1, 0, chunk.splice(CHUNK_RANGES / 2))
  }

  remove(range: T): void {
    const chunks = this.#chunks ?? []
    const chunkAt = this.#chunkAt(range.first)
    const chunk = chunks[chunkAt]
    const at = chunk === undefined ? 0 : indexIn(chunk, range.first)
    assert(chunk?.[at] === range, 'a range that is removed is held')
    this.#ranges--
    this.#offsets -= range.last - range.first + 1
    if (chunk.length === 1) chunks.splice(chunkAt, 1)
    else if (at === 0) chunk.shift()
    else chunk.splice(at, 1)
  }

  /** Takes the front of a range away: it begins at `first` from now on. */
  cutFront(range: T, first: number): void {
    assert(first > range.first && first <= range.last, 'a cut leaves a part of the range')
    this.#offsets -= first - range.first
    range.first = first
  }

  /** Takes the back of a range away: it ends at `last` from now on. */
  cutBack(range: T, last: number): void {
    assert(last >= range.first && last < range.last, 'a cut leaves a part of the range')
    this.#offsets -= range.last - last
    range.last = last
  }

  /** Extends a range to `last`, up to which no other range begins. */
  grow(range: T, last: number): void {
    this.#offsets += last - range.last
    range.last = last
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const chunk of this.#chunks ?? []) yield* chunk
  }

  /** The first chunk whose last range ends at or after `offset`. */
  #chunkAt(offset: number): number {
    const chunks = this.#chunks!
    let low = 0
    let high = chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = chunks[middle]!
      if (chunk[chunk.length - 1]!.last < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The first range in the chunk that ends at or after `offset`. */
function indexIn(chunk: readonly OffsetRange[], offset: number): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (chunk[middle]!.last < offset) low = middle + 1
    else high = middle
  }
  return low
}
