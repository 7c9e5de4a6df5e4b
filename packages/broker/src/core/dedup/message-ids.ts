// hot path (packages/broker/test/core/dedup-throughput.mjs)
import { batchRecordCount, MESSAGE_ID_HEADER, RecordBatchBuilder, RecordCursor, RecordReader } from '@millrace/wire'
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
import { ENTRY_BYTES, SWEEP_MS, WAITING_IDS_MAX } from './limits.ts'

const READ_BYTES: number = MIB
const NEW = -1
const NO_ID = -2
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
  /** Of a batch's records: four words each, and whether there is an id. */
  #hashes = new Int32Array(4 * 64)
  #hasId = new Uint8Array(64)
  readonly #builder: RecordBatchBuilder
  #entries = new Uint8Array(ENTRY_BYTES * 16)
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
    return (this.#table.end - this.#written + records) * ENTRY_BYTES
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
        const entries = record.next() ? record.value : null
        if (entries === null || entries.length !== (batch.lastOffset - batch.baseOffset + 1) * ENTRY_BYTES) {
          throw new MillraceError('data_corrupt', `log ${this.log} of message ids cannot be read at offset ${batch.baseOffset}`)
        }
        const view = new DataView(entries.buffer, entries.byteOffset, entries.length)
        // The start may lie inside a batch.
        for (let at = (table.end - batch.baseOffset) * ENTRY_BYTES; at < entries.length; at += ENTRY_BYTES) {
          for (let n = 0; n < 4; n++) this.#hashes[n] = view.getInt32(at + n * 4)
          timeMs = record.timestampMs + view.getUint32(at + 28)
          table.add(this.#hashes, 0, view.getUint32(at + 16), view.getFloat64(at + 20), timeMs)
        }
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

  /** Leaves the hashes of a batch's ids in `#hashes`. @returns how many records it has */
  #hash(batch: Uint8Array): number {
    const records = batchRecordCount(batch)
    if (records > this.#hasId.length) {
      this.#hashes = new Int32Array(records * 8)
      this.#hasId = new Uint8Array(records * 2)
    }
    const record = new RecordCursor(batch)
    for (let position = 0; record.next(); position++) {
      const hasId = record.findHeader(HEADER) && record.headerLength > 0
      this.#hasId[position] = hasId ? 1 : 0
      if (hasId) hash128(batch, record.headerAt, record.headerLength, this.#hashes, position * 4)
    }
    this.#table.approach(this.#hashes, records)
    return records
  }

  /** @returns the ordinal of the id of the record at `position`, or NEW, or NO_ID */
  #find(position: number): number {
    return this.#hasId[position] === 0 ? NO_ID : this.#table.find(this.#hashes, position * 4)
  }

  #added(count: number): void {
    const { cycle } = this.#shard
    cycle.gather(this)
    if (this.#table.end - this.#written > WAITING_IDS_MAX) this.#write()
    else cycle.gatheredBytes += count * ENTRY_BYTES
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
    while (end < table.end && table.timeMs(end) <= until) end++
    // Offsets in the log have no gaps.
    if (end > this.#written) this.#write()
    table.drop(end - table.start)
  }

  #write(): void {
    const table = this.#table
    const first = this.#written
    const count = table.end - first
    if (count === 0) return
    this.#reserve(count * ENTRY_BYTES)
    const view = this.#view
    const sinceMs = table.timeMs(first)
    for (let ordinal = first, at = 0; ordinal < table.end; ordinal++, at += ENTRY_BYTES) {
      table.writeHash(ordinal, view, at)
      view.setUint32(at + 16, table.partition(ordinal))
      view.setFloat64(at + 20, table.offset(ordinal))
      view.setUint32(at + 28, table.timeMs(ordinal) - sinceMs)
    }
    this.#written = table.end
    this.#builder.append(sinceMs, null, this.#entries.subarray(0, count * ENTRY_BYTES))
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
