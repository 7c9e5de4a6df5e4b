import { entryShape, makeColumns, shapeBatches, shapeSharers, type EntryColumns } from './entry-pool.ts'
import { encodeRun } from './index-run.ts'
import type { LogState } from './log-state.ts'
import type { OpenCommit } from './open-commit.ts'

/** An index entry as an object, for upkeep, which handles few of them at a time. */
export interface IndexEntry {
  readonly base: number
  readonly offsets: number
  readonly seq: number
  readonly position: number
  readonly length: number
  readonly timestampMs: number
  readonly batches: number
  readonly sharers: number
}

export function entryAt(columns: EntryColumns, at: number): IndexEntry {
  return {
    base: columns.base[at]!,
    offsets: columns.offsets[at]!,
    seq: columns.seq[at]!,
    position: columns.position[at]!,
    length: columns.length[at]!,
    timestampMs: columns.timestampMs[at]!,
    batches: shapeBatches(columns.shape[at]!),
    sharers: shapeSharers(columns.shape[at]!),
  }
}

export function entryEnd(entry: IndexEntry): number {
  return entry.base + entry.offsets
}

/** What an entry weighs in the ledger when all of it is alive. */
export function entryWeight(entry: IndexEntry): number {
  return entry.length / entry.sharers
}

/**
 * Writes a new edition of the part of a log's sealed index that lies in [first, end). Entries that point at the open commit have a position
 * that is relative to its payloads, as `OpenCommit` gives it.
 * @param emptyTimestampMs stands for the maximum timestamp where there are no entries
 */
export function writeEdition(
  open: OpenCommit,
  log: LogState,
  first: number,
  end: number,
  entries: readonly IndexEntry[],
  emptyTimestampMs: number,
): void {
  const columns = makeColumns(entries.length)
  let bytes = 0
  let weight = 0
  let maxTimestampMs = entries.length === 0 ? emptyTimestampMs : -Infinity
  let seqMin = open.ticket - 1
  for (let n = 0; n < entries.length; n++) {
    const entry = entries[n]!
    columns.base[n] = entry.base
    columns.offsets[n] = entry.offsets
    columns.seq[n] = entry.seq
    columns.position[n] = entry.position
    columns.length[n] = entry.length
    columns.timestampMs[n] = entry.timestampMs
    columns.shape[n] = entryShape(entry.batches, entry.sharers)
    bytes += entry.length
    weight += entryWeight(entry)
    maxTimestampMs = Math.max(maxTimestampMs, entry.timestampMs)
    seqMin = Math.min(seqMin, entry.seq)
  }
  open.addRun(log, { first, end, bytes, weight, maxTimestampMs, seqMin }, encodeRun(log.id, first, columns, 0, entries.length))
}

/** Room that `writeEdition` takes, at most. */
export function editionBytesMax(entries: number): number {
  return 200 + entries * 64
}
