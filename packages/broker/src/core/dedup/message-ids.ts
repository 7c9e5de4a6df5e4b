// hot path (packages/broker/test/core/dedup-throughput.mjs)
import { batchRecordCount, locateHeader, MESSAGE_ID_HEADER, RecordBatchBuilder, RecordReader } from '@millrace/wire'
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import { MIB } from '../../base/units.ts'
import type { LogId } from '../../storage/log-store.ts'
import type { DuplicateRecord } from '../broker.ts'
import type { CommitMember } from '../commit-cycle.ts'
import type { Shard } from '../shard.ts'
import type { Deadline } from '../timers.ts'
import type { CheckedDedup, DedupDefinition } from './dedup-settings.ts'
import { hash128 } from './hash128.ts'
import { IdTable } from './id-table.ts'
import { HASH_BYTES, ROW_BYTES, SWEEP_MS, WAITING_IDS_MAX } from './limits.ts'

const READ_BYTES: number = MIB
const NEW = -1
const NO_ID = -2
/** Of an id in a row of its own. */
const ID_BYTES_MAX: number = ROW_BYTES + HASH_BYTES
const HEADER: Uint8Array = new TextEncoder().encode(MESSAGE_ID_HEADER)

/**
 * The message ids that were published to one destination within its window. They are kept in a log of their own
 * (docs/formats/dedup.md), written with the commit that holds their messages and trimmed as the window moves.
 */
export class MessageIds implements CommitMember, Deadline {
  readonly log: LogId
  gathered = false
  #settings: CheckedDedup
  readonly #shard: Shard
  #table: IdTable
  /** Of a batch's records: where their ids are, with their lengths, and the hashes of these, of four words. */
  #places = new Int32Array(2 * 64)
  #hashes = new Int32Array(4 * 64)
  readonly #builder: RecordBatchBuilder
  #entries = new Uint8Array(ID_BYTES_MAX * 16)
  #view = new DataView(this.#entries.buffer)
  /** Ordinals below are in the log, or in the open commit. */
  #written: number
  #trimmed: number
  #waiting = false
  #closed = false
  /** The clock of the window: wall clock at the start, steady from there on, so that a step of the clock neither forgets nor keeps. */
  #baseMs: number
  readonly #startedMs: number

  /** @param start of the log */
  constructor(shard: Shard, log: LogId, start: number, settings: CheckedDedup) {
    this.#shard = shard
    this.log = log
    this.#settings = settings
    this.#builder = new RecordBatchBuilder(0, shard.crc32c)
    this.#table = new IdTable(start)
    this.#written = this.#trimmed = start
    this.#baseMs = shard.platform.clock.nowMs()
    this.#startedMs = shard.platform.clock.monotonicMs()
  }

  get settings(): CheckedDedup {
    return this.#settings
  }

  get definition(): DedupDefinition {
    return { ...this.#settings, log: this.log }
  }

  change(settings: CheckedDedup): void {
    this.#settings = settings
    this.#forget(this.#nowMs())
  }

  /** Nothing is written any more: the destination is deleted, or dedup switched off. */
  close(): void {
    this.#closed = true
    this.#shard.store.deleteLog(this.log)
  }

  /** Before `admit`. @returns what it adds to the commit at most, for a batch of so many records */
  makeReady(records: number): number {
    this.#forget(this.#nowMs())
    return (this.#table.end - this.#written + records) * ID_BYTES_MAX
  }

  /**
   * Remembers the ids of a batch that is about to be appended, within the same reserved commit.
   * @param base the offset that its first record will have if it is stored
   * @returns its records that were published before, which are not to be stored; undefined when there are none
   */
  admit(partition: number, batch: Uint8Array, base: number): DuplicateRecord[] | undefined {
    const table = this.#table
    const nowMs = this.#nowMs()
    const before = table.end
    let duplicates: DuplicateRecord[] | undefined
    let offset = base
    const records = this.#hash(batch)
    for (let position = 0; position < records; position++) {
      const known = this.#find(position)
      if (known >= 0) {
        duplicates ??= []
        duplicates.push({ position, partition: table.partition(known), offset: table.offset(known) })
        continue
      }
      if (known === NEW) table.add(this.#hashes, position * 4, partition, offset, nowMs)
      offset++
    }
    if (table.end > before) this.#added(table.end - before)
    return duplicates
  }

  /** @returns where each record of a batch is, if all were published before */
  findAll(batch: Uint8Array): DuplicateRecord[] | undefined {
    this.#forget(this.#nowMs())
    const duplicates: DuplicateRecord[] = []
    const records = this.#hash(batch)
    for (let position = 0; position < records; position++) {
      const known = this.#find(position)
      if (known < 0) return undefined
      duplicates.push({ position, partition: this.#table.partition(known), offset: this.#table.offset(known) })
    }
    return duplicates
  }

  /** Rebuilds the table after a restart. @throws MillraceError `data_corrupt` */
  async load(): Promise<void> {
    const { store } = this.#shard
    const table = this.#table
    const { end } = store.bounds(this.log)
    let timeMs = 0
    while (table.end < end) {
      for (const batch of await store.read(this.log, table.end, READ_BYTES)) {
        const record = new RecordReader(batch.bytes)
        const rows = record.next() ? record.value : null
        const last = rows === null ? undefined : this.#loadRows(rows, record.timestampMs, batch.baseOffset)
        if (last === undefined || table.end !== batch.lastOffset + 1) {
          throw new MillraceError('data_corrupt', `log ${this.log} of message ids cannot be read at offset ${batch.baseOffset}`)
        }
        timeMs = last
      }
    }
    this.#written = table.end
    // The clock may have been set back while nobody looked.
    this.#baseMs = Math.max(this.#baseMs, timeMs)
    this.#forget(this.#nowMs())
    if (table.size > 0) this.#await()
  }

  // ---- CommitMember, Deadline ---------------------------------------------------------------------------------------

  closing(): number {
    if (!this.#closed) {
      this.#write()
      this.#trim()
    }
    return 0
  }

  committed(): void {}

  writeEarly(): void {
    if (!this.#closed) this.#write()
  }

  due(): void {
    this.#waiting = false
    if (this.#closed) return
    this.#forget(this.#nowMs())
    this.#table.shrink()
    this.#trim()
    if (this.#table.size > 0) this.#await()
  }

  // ---- inside -------------------------------------------------------------------------------------------------------

  /** @param base of the batch: the start of the log may lie inside of it @returns the time of the last row, or undefined if they cannot be read */
  #loadRows(rows: Uint8Array, sinceMs: number, base: number): number | undefined {
    const table = this.#table
    const view = new DataView(rows.buffer, rows.byteOffset, rows.length)
    let timeMs: number | undefined
    let ordinal = base
    for (let at = 0; at < rows.length;) {
      if (at + ROW_BYTES > rows.length) return undefined
      const count = view.getUint32(at)
      const partition = view.getUint32(at + 4)
      const offset = view.getFloat64(at + 8)
      timeMs = sinceMs + view.getUint32(at + 16)
      at += ROW_BYTES
      if (at + count * HASH_BYTES > rows.length) return undefined
      for (let n = 0; n < count; n++, ordinal++, at += HASH_BYTES) {
        if (ordinal < table.end) continue
        for (let word = 0; word < 4; word++) this.#hashes[word] = view.getInt32(at + word * 4)
        table.add(this.#hashes, 0, partition, offset + n, timeMs)
      }
    }
    return timeMs
  }

  /** Leaves the hashes of a batch's ids in `#hashes`. @returns how many records it has */
  #hash(batch: Uint8Array): number {
    const records = batchRecordCount(batch)
    if (records * 2 > this.#places.length) {
      this.#places = new Int32Array(records * 4)
      this.#hashes = new Int32Array(records * 8)
    }
    const places = this.#places
    locateHeader(batch, HEADER, places)
    for (let n = 0; n < records; n++) {
      if (places[n * 2 + 1]! > 0) hash128(batch, places[n * 2]!, places[n * 2 + 1]!, this.#hashes, n * 4)
    }
    this.#table.approach(this.#hashes, records)
    return records
  }

  /** @returns the ordinal of the id of the record at `position`, or NEW, or NO_ID */
  #find(position: number): number {
    return this.#places[position * 2 + 1]! <= 0 ? NO_ID : this.#table.find(this.#hashes, position * 4)
  }

  #added(count: number): void {
    const { cycle } = this.#shard
    cycle.gather(this)
    if (this.#table.end - this.#written > WAITING_IDS_MAX) this.#write()
    else cycle.gatheredBytes += count * ID_BYTES_MAX
    if (!this.#waiting) this.#await()
  }

  /** In whole milliseconds, as times are stored. */
  #nowMs(): number {
    return Math.floor(this.#baseMs + this.#shard.platform.clock.monotonicMs() - this.#startedMs)
  }

  /** Drops what is older than the window, and what is more than may be. */
  #forget(nowMs: number): void {
    const table = this.#table
    const { windowMs, entriesMax } = this.#settings
    const until = nowMs - windowMs
    let end = Math.max(table.start, table.end - entriesMax)
    while (end < table.end && table.timeMs(end) <= until) end = table.rowEnd(end)
    // Offsets in the log have no gaps.
    if (end > this.#written) this.#write()
    table.drop(end - table.start)
  }

  #write(): void {
    const table = this.#table
    const first = this.#written
    const count = table.end - first
    if (count === 0) return
    this.#reserve(count * ID_BYTES_MAX)
    const view = this.#view
    const sinceMs = table.timeMs(first)
    let at = 0
    for (let ordinal = first; ordinal < table.end;) {
      const end = table.rowEnd(ordinal)
      view.setUint32(at, end - ordinal)
      view.setUint32(at + 4, table.partition(ordinal))
      view.setFloat64(at + 8, table.offset(ordinal))
      view.setUint32(at + 16, table.timeMs(ordinal) - sinceMs)
      at += ROW_BYTES
      table.writeHashes(ordinal, end, view, at)
      at += (end - ordinal) * HASH_BYTES
      ordinal = end
    }
    this.#written = table.end
    this.#builder.append(sinceMs, null, this.#entries.subarray(0, at))
    const base = this.#shard.store.append(this.log, this.#builder.finish(count), count)
    assert(base === first, 'ids are in their log in the order of the table')
  }

  #trim(): void {
    const { start } = this.#table
    if (start === this.#trimmed) return
    this.#trimmed = start
    this.#shard.store.trim(this.log, start)
  }

  #await(): void {
    this.#waiting = true
    const { timers, platform } = this.#shard
    const oldestMs = this.#table.timeMs(this.#table.start)
    const leftMs = oldestMs + this.#settings.windowMs - this.#nowMs()
    timers.add(platform.clock.monotonicMs() + Math.max(0, leftMs) + SWEEP_MS, this)
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#entries.length) return
    this.#entries = new Uint8Array(bytes * 2)
    this.#view = new DataView(this.#entries.buffer)
  }
}
