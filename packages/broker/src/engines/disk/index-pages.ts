/** Parts of the indexes that closed segments carry, cached: index memory is bounded however much is stored. */
import type { File } from './file-system.ts'
import { FRAME_ALIGNMENT } from './frame.ts'
import { INDEX_ENTRY_BYTES, indexStart } from './segment-format.ts'
import type { Segment } from './segment.ts'
import { readFully } from './whole-transfers.ts'

const PAGE_ENTRIES = 1024
/** More pages than any segment can have. */
const PAGES_PER_SEGMENT_MAX = 2 ** 20

export class IndexPages {
  readonly #pagesMax: number
  /** By generation and page number; least recently used first. */
  readonly #pages = new Map<number, Buffer>()
  /** Who reads in order stays in one page, which need not become the newest again and again. */
  #newestKey = -1

  constructor(pagesMax: number) {
    this.#pagesMax = pagesMax
  }

  async position(segment: Segment, file: File, ordinal: number): Promise<number> {
    const number = Math.floor(ordinal / PAGE_ENTRIES)
    const key = segment.header.generation * PAGES_PER_SEGMENT_MAX + number
    const page = this.#pages.get(key) ?? (await readPage(segment, file, number))
    if (key !== this.#newestKey) this.#keepNewest(key, page)
    return page.readUInt32LE((ordinal % PAGE_ENTRIES) * INDEX_ENTRY_BYTES) * FRAME_ALIGNMENT
  }

  #keepNewest(key: number, page: Buffer): void {
    this.#newestKey = key
    this.#pages.delete(key)
    this.#pages.set(key, page)
    if (this.#pages.size > this.#pagesMax) this.#pages.delete(this.#pages.keys().next().value!)
  }
}

async function readPage(segment: Segment, file: File, number: number): Promise<Buffer> {
  const from = number * PAGE_ENTRIES
  const entries = Math.min(PAGE_ENTRIES, segment.count - from)
  const page = Buffer.allocUnsafeSlow(entries * INDEX_ENTRY_BYTES)
  await readFully(file, page, indexStart(segment.header.segmentBytes, segment.count) + from * INDEX_ENTRY_BYTES)
  return page
}
