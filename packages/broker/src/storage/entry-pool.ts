// hot path (bench/src/log-store.ts)

/** Index entries as columns: a page of the pool, or a sealed run that was read back. */
export interface EntryColumns {
  /** First offset. */
  readonly base: Float64Array
  /** How many offsets it covers. */
  readonly offsets: Uint32Array
  /** Sequence of the commit that holds the bytes. */
  readonly seq: Float64Array
  /** Byte in that commit. */
  readonly position: Uint32Array
  readonly length: Uint32Array
  readonly timestampMs: Float64Array
  /** `entryShape`: how many batches lie in it, and how many logs share them. */
  readonly shape: Uint32Array
}

const SHAPE_MAX = 0xffff

/** Both saturate: they only weigh how much is alive. */
export function entryShape(batches: number, sharers: number): number {
  return (Math.min(batches, SHAPE_MAX) | (Math.min(sharers, SHAPE_MAX) << 16)) >>> 0
}

export function shapeBatches(shape: number): number {
  return shape & SHAPE_MAX
}

export function shapeSharers(shape: number): number {
  return shape >>> 16
}

export function makeColumns(entries: number): EntryColumns {
  return {
    base: new Float64Array(entries),
    offsets: new Uint32Array(entries),
    seq: new Float64Array(entries),
    position: new Uint32Array(entries),
    length: new Uint32Array(entries),
    timestampMs: new Float64Array(entries),
    shape: new Uint32Array(entries),
  }
}

export const ENTRY_BYTES = 40

export function copyEntries(from: EntryColumns, fromAt: number, to: EntryColumns, toAt: number, count: number): void {
  for (let n = 0; n < count; n++) {
    to.base[toAt + n] = from.base[fromAt + n]!
    to.offsets[toAt + n] = from.offsets[fromAt + n]!
    to.seq[toAt + n] = from.seq[fromAt + n]!
    to.position[toAt + n] = from.position[fromAt + n]!
    to.length[toAt + n] = from.length[fromAt + n]!
    to.timestampMs[toAt + n] = from.timestampMs[fromAt + n]!
    to.shape[toAt + n] = from.shape[fromAt + n]!
  }
}

/** Moves entries inside one set of columns; the ranges may overlap. */
export function moveEntries(columns: EntryColumns, fromAt: number, toAt: number, count: number): void {
  columns.base.copyWithin(toAt, fromAt, fromAt + count)
  columns.offsets.copyWithin(toAt, fromAt, fromAt + count)
  columns.seq.copyWithin(toAt, fromAt, fromAt + count)
  columns.position.copyWithin(toAt, fromAt, fromAt + count)
  columns.length.copyWithin(toAt, fromAt, fromAt + count)
  columns.timestampMs.copyWithin(toAt, fromAt, fromAt + count)
  columns.shape.copyWithin(toAt, fromAt, fromAt + count)
}

/**
 * Room for the index tails of very many logs, without an object per log: regions of 1, 2, 4, ... entries inside shared
 * pages. A region is named by a handle: page and first entry.
 */
export class EntryPool {
  readonly #pages: (EntryColumns | undefined)[] = []
  /** Free regions by size class. */
  readonly #free: number[][] = Array.from({ length: LARGEST_CLASS + 1 }, () => [])
  #bumpPage = -1
  #bumpAt = PAGE_ENTRIES
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  page(handle: number): EntryColumns {
    return this.#pages[Math.floor(handle / PAGE_ENTRIES)]!
  }

  first(handle: number): number {
    return handle % PAGE_ENTRIES
  }

  /** @param sizeClass log2 of the entries wanted */
  allocate(sizeClass: number): number {
    if (sizeClass > LARGEST_CLASS) return this.#addPage(1 << sizeClass) * PAGE_ENTRIES
    const freed = this.#free[sizeClass]!.pop()
    if (freed !== undefined) return freed
    const size = 1 << sizeClass
    if (this.#bumpAt + size > PAGE_ENTRIES) {
      this.#freeRestOfPage()
      this.#bumpPage = this.#addPage(PAGE_ENTRIES)
      this.#bumpAt = 0
    }
    const handle = this.#bumpPage * PAGE_ENTRIES + this.#bumpAt
    this.#bumpAt += size
    return handle
  }

  release(handle: number, sizeClass: number): void {
    if (sizeClass <= LARGEST_CLASS) {
      this.#free[sizeClass]!.push(handle)
      return
    }
    this.#pages[Math.floor(handle / PAGE_ENTRIES)] = undefined
    this.#bytes -= (1 << sizeClass) * ENTRY_BYTES
  }

  #addPage(entries: number): number {
    this.#bytes += entries * ENTRY_BYTES
    const hole = entries > PAGE_ENTRIES ? this.#pages.indexOf(undefined) : -1
    if (hole >= 0) {
      this.#pages[hole] = makeColumns(entries)
      return hole
    }
    return this.#pages.push(makeColumns(entries)) - 1
  }

  #freeRestOfPage(): void {
    for (let sizeClass = 0; this.#bumpAt < PAGE_ENTRIES;) {
      while (
        sizeClass < LARGEST_CLASS &&
        this.#bumpAt % (2 << sizeClass) === 0 &&
        this.#bumpAt + (2 << sizeClass) <= PAGE_ENTRIES
      )
        sizeClass++
      while (this.#bumpAt % (1 << sizeClass) !== 0 || this.#bumpAt + (1 << sizeClass) > PAGE_ENTRIES) sizeClass--
      this.#free[sizeClass]!.push(this.#bumpPage * PAGE_ENTRIES + this.#bumpAt)
      this.#bumpAt += 1 << sizeClass
    }
  }
}

const PAGE_ENTRIES = 4096
/** log2 of the largest region inside a page; larger ones have a page of their own. */
const LARGEST_CLASS = 10
