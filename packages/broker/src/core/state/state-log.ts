/**
 * The log that holds the core's own state: definitions and delivery state. Format: docs/formats/state-log.md.
 *
 * Each *cell* (one definition, or one cursor) is written as a snapshot and then as deltas. What is below the oldest
 * snapshot that is still needed is trimmed; when the log grows beyond about twice its live content, the cells whose
 * snapshots are oldest are written again, a bounded amount in each commit.
 */
import { RecordBatchBuilder } from '@millrace/wire'
import { assert } from '../../base/assert.ts'
import { KIB } from '../../base/units.ts'
import type { Crc32c } from '../../ports/checksum.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { ByteWriter } from './bytes.ts'

/** Kinds of records. Numbers are stored: never reuse one. */
export const SNAPSHOT = 0
export const DELTA = 1
export const TOMBSTONE = 2
/** Stands in the upper half of the first byte of every record, above its kind. */
export const FORMAT_VERSION = 1

const BATCH_BYTES = 128 * KIB
const ROLLING_BYTES_MIN = 16 * KIB
/** What a record costs beside its content. */
export const RECORD_OVERHEAD_BYTES = 24

/** One unit of state. The fields below belong to the StateLog. */
export abstract class StateCell {
  readonly entity: number
  /** 0 for a definition, 1 + partition for a cursor. */
  readonly part: number
  /** Offset in the state log from where it can be rebuilt; -1 when nothing was written yet. */
  rebuiltFrom = -1
  snapshotBytes = 0
  snapshotDue = false
  older: StateCell | undefined = undefined
  newer: StateCell | undefined = undefined

  constructor(entity: number, part: number) {
    this.entity = entity
    this.part = part
  }

  /** Writes a part of its snapshot. @returns where the next part starts, or undefined after the last */
  abstract writeSnapshot(out: ByteWriter, start: number): number | undefined
}

export interface RecoveredCell {
  readonly cell: StateCell
  readonly rebuiltFrom: number
  readonly snapshotBytes: number
}

export class StateLog {
  readonly #store: LogStore
  readonly #log: LogId
  readonly #batch: RecordBatchBuilder
  readonly #bytesFloor: number
  readonly #out: ByteWriter = new ByteWriter()
  readonly #key: ByteWriter = new ByteWriter()
  #due: StateCell[] = []
  #removed: number[] = []
  /** Cells in order of `rebuiltFrom`. */
  #oldest: StateCell | undefined
  #newest: StateCell | undefined
  /** Bytes that a log with nothing superfluous in it would have, about. */
  #liveBytes = 0
  #end: number
  #trimmed = 0
  /** In the commit that is closing. */
  #writtenBytes = 0
  /** A snapshot of several parts under way. */
  #rolling: { cell: StateCell; start: number; since: number; bytes: number } | undefined

  /** @param bytesFloor it is left alone while it is smaller than this */
  constructor(store: LogStore, log: LogId, crc32c: Crc32c, bytesFloor: number) {
    this.#bytesFloor = bytesFloor
    this.#store = store
    this.#log = log
    this.#batch = new RecordBatchBuilder(4 * KIB, crc32c)
    this.#end = store.bounds(log).end
  }

  /** Takes over the cells that a restart rebuilt. */
  adopt(cells: readonly RecoveredCell[]): void {
    for (const each of cells.toSorted((a, b) => a.rebuiltFrom - b.rebuiltFrom)) {
      each.cell.rebuiltFrom = each.rebuiltFrom
      each.cell.snapshotBytes = each.snapshotBytes
      this.#liveBytes += each.snapshotBytes
      this.#link(each.cell)
    }
  }

  /** Has the cell written whole in this commit. */
  snapshot(cell: StateCell): void {
    if (cell.snapshotDue) return
    cell.snapshotDue = true
    this.#due.push(cell)
    this.#store.touch()
  }

  /** Forgets an entity with all its cells. */
  remove(entity: number, cells: Iterable<StateCell>): void {
    this.#removed.push(entity)
    for (const cell of cells) {
      cell.snapshotDue = false
      if (this.#rolling?.cell === cell) this.#rolling = undefined
      if (cell.rebuiltFrom < 0) continue
      this.#unlink(cell)
      this.#liveBytes -= cell.snapshotBytes
      cell.rebuiltFrom = -1
    }
    this.#store.touch()
  }

  /** Writes a delta of a cell, which `write` puts into the writer. Only while the commit closes, before `close`, or before `writeEarly`. */
  delta(cell: StateCell, write: (out: ByteWriter) => void): void {
    if (cell.snapshotDue) return
    this.#out.clear()
    write(this.#out)
    if (this.#out.length === 0) return
    const at = this.#record(DELTA, cell.entity, cell.part)
    if (cell.rebuiltFrom < 0) this.#rebuiltFrom(cell, at, this.#out.length + RECORD_OVERHEAD_BYTES)
  }

  /** Puts the deltas and snapshots so far into the open commit, which has room for them. */
  writeEarly(): void {
    this.#writeDue()
    this.#flush()
  }

  /** Completes what this commit holds of the state log. Called once while a commit closes, after all deltas. */
  close(): void {
    const before = this.#end
    for (const entity of this.#removed) {
      this.#out.clear()
      this.#record(TOMBSTONE, entity, 0)
    }
    this.#removed.length = 0
    this.#writeDue()
    this.#roll(this.#writtenBytes)
    this.#flush()
    this.#writtenBytes = 0
    const keepFrom = this.#oldest?.rebuiltFrom ?? this.#end
    if (this.#end !== before && keepFrom > this.#trimmed) {
      this.#store.trim(this.#log, keepFrom)
      this.#trimmed = keepFrom
    }
  }

  #writeDue(): void {
    const due = this.#due
    this.#due = []
    for (const cell of due) if (cell.snapshotDue) this.#writeWhole(cell)
  }

  #writeWhole(cell: StateCell): void {
    cell.snapshotDue = false
    if (this.#rolling?.cell === cell) this.#rolling = undefined
    let since = -1
    let bytes = 0
    let start: number | undefined = 0
    while (start !== undefined) {
      this.#out.clear()
      start = cell.writeSnapshot(this.#out, start)
      bytes += this.#out.length + RECORD_OVERHEAD_BYTES
      const at = this.#record(SNAPSHOT, cell.entity, cell.part)
      if (since < 0) since = at
    }
    this.#rebuiltFrom(cell, since, bytes)
  }

  /** Rewrites the oldest cells, in proportion to what the commit added. */
  #roll(written: number): void {
    if (this.#rolling === undefined && this.#store.bounds(this.#log).bytes < 2 * this.#liveBytes + this.#bytesFloor) return
    let budget = Math.max(ROLLING_BYTES_MIN, 2 * written)
    const stop = this.#end
    while (budget > 0) {
      if (this.#rolling === undefined) {
        const cell = this.#oldest
        if (cell === undefined || cell.rebuiltFrom >= stop) break
        this.#rolling = { cell, start: 0, since: -1, bytes: 0 }
      }
      const rolling = this.#rolling
      this.#out.clear()
      const next = rolling.cell.writeSnapshot(this.#out, rolling.start)
      const bytes = this.#out.length + RECORD_OVERHEAD_BYTES
      budget -= bytes
      rolling.bytes += bytes
      const at = this.#record(SNAPSHOT, rolling.cell.entity, rolling.cell.part)
      if (rolling.since < 0) rolling.since = at
      if (next === undefined) {
        this.#rebuiltFrom(rolling.cell, rolling.since, rolling.bytes)
        this.#rolling = undefined
      } else rolling.start = next
    }
    if (this.#rolling !== undefined) this.#store.touch()
  }

  #rebuiltFrom(cell: StateCell, offset: number, bytes: number): void {
    if (cell.rebuiltFrom >= 0) this.#unlink(cell)
    this.#liveBytes += bytes - cell.snapshotBytes
    cell.rebuiltFrom = offset
    cell.snapshotBytes = bytes
    this.#link(cell)
  }

  /** @returns the offset of the record */
  #record(kind: number, entity: number, part: number): number {
    if (this.#batch.bytes + this.#out.length > BATCH_BYTES) this.#flush()
    const key = this.#key
    key.clear()
    key.byte(FORMAT_VERSION * 16 + kind)
    key.varint(entity)
    key.varint(part)
    this.#batch.append(0, key.view(), this.#out.view())
    this.#writtenBytes += this.#out.length + RECORD_OVERHEAD_BYTES
    return this.#end + this.#batch.records - 1
  }

  #flush(): void {
    const records = this.#batch.records
    if (records === 0) return
    const base = this.#store.append(this.#log, this.#batch.finish(), records)
    assert(base === this.#end, 'the state log has one writer')
    this.#end += records
  }

  /** `rebuiltFrom` of a multi-part snapshot lies before the end, so the place is searched from the new end. */
  #link(cell: StateCell): void {
    let before = this.#newest
    while (before !== undefined && before.rebuiltFrom > cell.rebuiltFrom) before = before.older
    cell.older = before
    cell.newer = before === undefined ? this.#oldest : before.newer
    if (cell.older === undefined) this.#oldest = cell
    else cell.older.newer = cell
    if (cell.newer === undefined) this.#newest = cell
    else cell.newer.older = cell
  }

  #unlink(cell: StateCell): void {
    if (cell.older === undefined) this.#oldest = cell.newer
    else cell.older.newer = cell.newer
    if (cell.newer === undefined) this.#newest = cell.older
    else cell.newer.older = cell.older
    cell.older = undefined
    cell.newer = undefined
  }
}
