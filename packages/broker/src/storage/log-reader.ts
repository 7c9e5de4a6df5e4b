import { batchMaxTimestampMs, batchOffsets, batchProblem, batchSize, BATCH_HEADER_BYTES } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { Lease } from '../base/lease.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { Journal, JournalPart } from '../ports/journal.ts'
import type { Scheduler } from '../ports/platform.ts'
import { shapeBatches, type EntryColumns } from './entry-pool.ts'
import type { LogIndex } from './log-index.ts'
import { isDead, type LogState } from './log-state.ts'
import type { BatchInfo, StoredBatch } from './log-store.ts'
import { findInTail } from './log-tail.ts'
import { type ColdReads, ReadAhead, type ReadBatch } from './read-ahead.ts'
import type { ReaderPins } from './reader-pins.ts'
import type { RunCache } from './run-cache.ts'
import type { TailCache } from './tail-cache.ts'

// hot path (bench/src/log-store.ts)

const NOTHING: readonly ReadBatch[] = []
/** Commits that one cold read reads from. */
const SPANS_MAX = 256

/** Index entries of a log, in offset order, from one on. */
interface Stretch {
  readonly entries: EntryColumns
  /** First row that ends after the wanted offset, and the row after the last. */
  readonly from: number
  readonly to: number
}

/** Entries that follow each other in one commit. */
interface Span {
  readonly row: number
  rows: number
  length: number
}

interface Collected {
  readonly found: ReadBatch[]
  /** Where to go on when nothing was found. */
  readonly end: number
}

export interface LogReaderParts {
  readonly index: LogIndex
  readonly cache: TailCache
  readonly runs: RunCache
  readonly journal: Journal
  readonly crc32c: Crc32c
  readonly pins: ReaderPins
  readonly readAheadBytes: number
  readonly scheduler: Scheduler
}

/** Finds and reads committed batches: from the tail cache, or where they were read ahead, at once; from the journal with a promise. */
export class LogReader {
  readonly #index: LogIndex
  readonly #cache: TailCache
  readonly #runs: RunCache
  readonly #journal: Journal
  readonly #crc32c: Crc32c
  readonly #pins: ReaderPins
  readonly ahead: ReadAhead

  constructor({ index, cache, runs, journal, crc32c, pins, readAheadBytes, scheduler }: LogReaderParts) {
    this.#index = index
    this.#cache = cache
    this.#runs = runs
    this.#journal = journal
    this.#crc32c = crc32c
    this.#pins = pins
    const reads: ColdReads = {
      read: (log, from, bytesMax, lease) => this.#readJournal(log, from, bytesMax, lease),
      isCold: (log, offset) => this.#isCold(log, offset),
    }
    this.ahead = new ReadAhead(readAheadBytes, reads, scheduler)
  }

  read(
    log: LogState,
    from: number,
    bytesWanted: number,
    lease?: Lease,
  ): readonly StoredBatch[] | Promise<readonly StoredBatch[]> {
    const bytesMax = Math.max(1, bytesWanted)
    if (from < log.start || from > log.end) throw outOfRange(log, from)
    if (from === log.end) return NOTHING
    const ahead = this.ahead.take(log, from, bytesMax, lease)
    if (ahead !== undefined) return ahead
    if (from >= log.sealedEnd || log.runs === undefined || log.runs.find(from) === log.runs.count) {
      const first = findInTail(this.#index.pool, log, from)
      if (first === log.tailCount) return NOTHING
      const page = this.#index.pool.page(log.tailHandle)
      const at = this.#index.pool.first(log.tailHandle) + log.tailFirst
      const batches = this.#readCached(log, page, at + first, at + log.tailCount, from, bytesMax, lease)
      if (batches !== undefined) return batches
    } else {
      const run = log.runs.at(log.runs.find(from))
      const loaded = this.#runs.peek(run)
      if (loaded !== undefined) {
        const batches = this.#readCached(
          log,
          loaded.entries,
          findRow(loaded.entries, loaded.count, from),
          loaded.count,
          from,
          bytesMax,
          lease,
        )
        if (batches !== undefined && batches.length > 0) return batches
      }
    }
    return this.#readCold(log, from, bytesMax, lease)
  }

  async offsetForTimestamp(log: LogState, timestampMs: number): Promise<number | undefined> {
    const pin = this.#pins.pin()
    try {
      let from = log.start
      while (from < log.end) {
        const run = log.runs?.find(from) ?? 0
        if (log.runs !== undefined && run < log.runs.count && log.runs.maxTimestampMs(run) < timestampMs) {
          from = Math.max(from, log.runs.end(run))
          continue
        }
        const stretch = await this.#stretch(log, from)
        if (stretch === undefined) return undefined
        const { entries } = stretch
        for (let row = stretch.from; row < stretch.to; row++) {
          const base = entries.base[row]!
          const end = base + entries.offsets[row]!
          from = Math.max(from, end)
          if (entries.timestampMs[row]! < timestampMs || log.deadOffsets(base, end) === end - base) continue
          if (shapeBatches(entries.shape[row]!) === 1) return Math.max(base, log.start)
          const offset = await this.#offsetInEntry(log, entries, row, timestampMs)
          if (offset !== undefined) return offset
        }
      }
      return undefined
    } finally {
      this.#pins.unpin(pin)
    }
  }

  async oldest(log: LogState, batchesMax: number): Promise<readonly BatchInfo[]> {
    const pin = this.#pins.pin()
    try {
      const found: BatchInfo[] = []
      let from = log.start
      while (from < log.end && found.length < batchesMax) {
        const stretch = await this.#stretch(log, from)
        if (stretch === undefined) break
        const { entries } = stretch
        for (let row = stretch.from; row < stretch.to && found.length < batchesMax; row++) {
          const baseOffset = entries.base[row]!
          const end = baseOffset + entries.offsets[row]!
          from = Math.max(from, end)
          if (log.deadOffsets(baseOffset, end) === end - baseOffset) continue
          found.push({ baseOffset, lastOffset: end - 1, bytes: entries.length[row]!, maxTimestampMs: entries.timestampMs[row]! })
        }
      }
      return found
    } finally {
      this.#pins.unpin(pin)
    }
  }

  /** undefined when not even the first entry is in the cache. */
  #readCached(
    log: LogState,
    entries: EntryColumns,
    from: number,
    to: number,
    offset: number,
    bytesMax: number,
    lease: Lease | undefined,
  ): ReadBatch[] | undefined {
    const found: ReadBatch[] = []
    let bytes = 0
    for (let row = from; row < to; row++) {
      const base = entries.base[row]!
      if (isDead(log, base, base + entries.offsets[row]!)) continue
      const stored = this.#cache.get(entries.seq[row]!, entries.position[row]!, entries.length[row]!, lease)
      if (stored === undefined) return found.length === 0 ? undefined : found
      bytes = collect(log, stored, base, offset, bytesMax, bytes, found, lease)
      if (bytes >= bytesMax) break
    }
    return found
  }

  async #readCold(log: LogState, from: number, bytesMax: number, lease: Lease | undefined): Promise<readonly StoredBatch[]> {
    for (let arriving = this.ahead.arriving(log, from); arriving !== undefined; arriving = this.ahead.arriving(log, from)) {
      await arriving
      // It may be forgotten by now.
      if (from < log.start) throw outOfRange(log, from)
      const ahead = this.ahead.take(log, from, bytesMax, lease)
      if (ahead !== undefined) return ahead
    }
    // Who gives up meanwhile leaves what is looked at here as it is until then.
    const held = lease?.isOver === true ? undefined : lease
    held?.hold()
    try {
      const batches = await this.#readJournal(log, from, bytesMax, held)
      this.ahead.followed(log, from, bytesMax, batches)
      return batches
    } finally {
      held?.release()
    }
  }

  /** Whether the batch at `offset` has to be read from the journal, as far as the index in memory tells. */
  #isCold(log: LogState, offset: number): boolean {
    let entries: EntryColumns
    let row: number
    if (offset >= log.sealedEnd || log.runs === undefined || log.runs.find(offset) === log.runs.count) {
      const first = findInTail(this.#index.pool, log, offset)
      if (first === log.tailCount) return false
      entries = this.#index.pool.page(log.tailHandle)
      row = this.#index.pool.first(log.tailHandle) + log.tailFirst + first
    } else {
      const loaded = this.#runs.peek(log.runs.at(log.runs.find(offset)))
      if (loaded === undefined) return true
      entries = loaded.entries
      row = findRow(entries, loaded.count, offset)
      if (row === loaded.count) return true
    }
    return !this.#cache.holds(entries.seq[row]!)
  }

  async #readJournal(log: LogState, from: number, bytesMax: number, lease: Lease | undefined): Promise<readonly ReadBatch[]> {
    const pin = this.#pins.pin()
    try {
      let offset = from
      while (offset < log.end) {
        const stretch = await this.#stretch(log, offset)
        if (stretch === undefined) return NOTHING
        const { found, end } = await this.#readStretch(log, stretch, offset, bytesMax, lease)
        if (found.length > 0) return found
        offset = Math.max(end, log.start)
      }
      return NOTHING
    } finally {
      this.#pins.unpin(pin)
    }
  }

  /** The entries of the log from the one that ends after `offset` on: those of one run, or of the tail. */
  async #stretch(log: LogState, offset: number): Promise<Stretch | undefined> {
    let from = offset
    while (log.runs !== undefined) {
      const n = log.runs.find(from)
      if (n === log.runs.count) break
      const run = log.runs.at(n)
      const loaded = await this.#runs.load(log.id, run)
      const first = findRow(loaded.entries, loaded.count, from)
      if (first < loaded.count) return { entries: loaded.entries, from: first, to: loaded.count }
      from = Math.max(from, run.end)
    }
    const first = findInTail(this.#index.pool, log, from)
    if (first === log.tailCount) return undefined
    // A copy: the tail may move while the caller waits.
    const page = this.#index.pool.page(log.tailHandle)
    const at = this.#index.pool.first(log.tailHandle) + log.tailFirst
    const to = at + Math.min(log.tailCount, first + STRETCH_ENTRIES)
    const entries: EntryColumns = {
      base: page.base.slice(at + first, to),
      offsets: page.offsets.slice(at + first, to),
      seq: page.seq.slice(at + first, to),
      position: page.position.slice(at + first, to),
      length: page.length.slice(at + first, to),
      timestampMs: page.timestampMs.slice(at + first, to),
      shape: page.shape.slice(at + first, to),
    }
    return { entries, from: 0, to: entries.base.length }
  }

  async #readStretch(
    log: LogState,
    stretch: Stretch,
    offset: number,
    bytesMax: number,
    lease: Lease | undefined,
  ): Promise<Collected> {
    const { entries } = stretch
    // Neighbours in the journal are read at once.
    const spans: Span[] = []
    let bytes = 0
    let end = offset
    for (let row = stretch.from; row < stretch.to && bytes < bytesMax; row++) {
      const base = entries.base[row]!
      const length = entries.length[row]!
      const rowEnd = base + entries.offsets[row]!
      if (isDead(log, base, rowEnd)) {
        end = rowEnd
        continue
      }
      const last = spans.at(-1)
      const follows =
        last !== undefined &&
        last.row + last.rows === row &&
        entries.seq[last.row] === entries.seq[row] &&
        entries.position[last.row]! + last.length === entries.position[row]
      if (follows) {
        last.rows++
        last.length += length
      } else {
        if (spans.length === SPANS_MAX) break
        spans.push({ row, rows: 1, length })
      }
      bytes += length
      end = rowEnd
    }
    const parts = await this.#readSpans(entries, spans, lease)
    const found: ReadBatch[] = []
    let collected = 0
    for (let n = 0; n < spans.length; n++) {
      const span = spans[n]!
      let at = 0
      for (let row = span.row; row < span.row + span.rows; row++) {
        const stored = parts[n]!.subarray(at, at + entries.length[row]!)
        this.#check(stored, entries, row)
        collected = collect(log, stored, entries.base[row]!, offset, bytesMax, collected, found, lease)
        if (collected >= bytesMax) return { found, end }
        at += entries.length[row]!
      }
    }
    return { found, end }
  }

  async #readSpans(entries: EntryColumns, spans: readonly Span[], lease: Lease | undefined): Promise<readonly Uint8Array[]> {
    const cached = spans.map(({ row, length }) => this.#cache.get(entries.seq[row]!, entries.position[row]!, length, lease))
    const wanted: JournalPart[] = []
    for (const [n, { row, length }] of spans.entries()) {
      if (cached[n] === undefined) wanted.push({ seq: entries.seq[row]!, from: entries.position[row]!, length })
    }
    const read = await this.#journal.readParts(wanted, lease)
    let at = 0
    return cached.map((bytes) => bytes ?? read[at++]!)
  }

  async #readSpan(seq: number, position: number, length: number): Promise<Uint8Array> {
    return this.#cache.get(seq, position, length) ?? (await this.#journal.read(seq, position, length))
  }

  /** @throws MillraceError `data_corrupt` */
  #check(stored: Uint8Array, entries: EntryColumns, row: number): void {
    let at = 0
    let offsets = 0
    let problem: string | undefined
    while (at < entries.length[row]! && problem === undefined) {
      const size = stored.length - at >= BATCH_HEADER_BYTES ? batchSize(stored.subarray(at, at + BATCH_HEADER_BYTES)) : 0
      const batch = stored.subarray(at, at + Math.max(size, 1))
      problem = batchProblem(batch, this.#crc32c, true)
      if (problem === undefined) offsets += batchOffsets(batch)
      at += size
    }
    problem ??=
      offsets === entries.offsets[row] && at === entries.length[row] ? undefined : 'it holds other offsets than the index says'
    if (problem === undefined) return
    throw new MillraceError(
      'data_corrupt',
      `The batch at byte ${entries.position[row]! + at} of commit ${entries.seq[row]} is damaged: ${problem}. Restore the data from a copy.`,
    )
  }

  async #offsetInEntry(log: LogState, entries: EntryColumns, row: number, timestampMs: number): Promise<number | undefined> {
    const stored = await this.#readSpan(entries.seq[row]!, entries.position[row]!, entries.length[row]!)
    this.#check(stored, entries, row)
    let base = entries.base[row]!
    for (let at = 0; at < stored.length;) {
      const batch = stored.subarray(at)
      const end = base + batchOffsets(batch)
      if (batchMaxTimestampMs(batch) >= timestampMs && !isDead(log, base, end)) return Math.max(base, log.start)
      base = end
      at += batchSize(batch)
    }
    return undefined
  }
}

/** Entries of a tail that are copied for a cold read. */
const STRETCH_ENTRIES = 256

/** Appends the batches of an entry that end after `offset` and are not forgotten, until there are `bytesMax`. @returns bytes so far */
function collect(
  log: LogState,
  stored: Uint8Array,
  entryBase: number,
  offset: number,
  bytesMax: number,
  bytesBefore: number,
  found: ReadBatch[],
  lease: Lease | undefined,
): number {
  let base = entryBase
  let bytes = bytesBefore
  let at = 0
  while (at < stored.length && (bytes < bytesMax || found.length === 0)) {
    const size = ((stored[at + 8]! << 24) | (stored[at + 9]! << 16) | (stored[at + 10]! << 8) | stored[at + 11]!) + 12
    const end = base + ((stored[at + 23]! << 24) | (stored[at + 24]! << 16) | (stored[at + 25]! << 8) | stored[at + 26]!) + 1
    if (end > offset && !isDead(log, base, end)) {
      found.push({ baseOffset: base, lastOffset: end - 1, bytes: stored.subarray(at, at + size), lease })
      bytes += size
    }
    base = end
    at += size
  }
  return bytes
}

/** First row that ends after `offset`. */
export function findRow(entries: EntryColumns, count: number, offset: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (entries.base[middle]! + entries.offsets[middle]! <= offset) low = middle + 1
    else high = middle
  }
  return low
}

function outOfRange(log: LogState, offset: number): MillraceError {
  return new MillraceError(
    'offset_out_of_range',
    `Offset ${offset} is not kept: the log holds ${log.start} to ${log.end - 1}, ${log.end} comes next.`,
  )
}
