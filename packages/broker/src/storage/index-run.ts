import { corrupt } from './commit-format.ts'
import { readEntries, writeEntries } from './entry-codec.ts'
import { ENTRY_BYTES, makeColumns, type EntryColumns } from './entry-pool.ts'
import type { LogId } from './log-store.ts'
import type { RunDescriptor } from './run-list.ts'
import { ByteReader, ByteWriter, readUint32, writeUint32 } from './varints.ts'
import type { Crc32c } from '../ports/checksum.ts'

/**
 * A sealed index run: the entries of one log that lie in a range of its offsets, in offset order (docs/formats/commit.md).
 *
 *   0 crc u32 (over 4..end) | 4 payload start u32 | then varints: log, first, count, and the entries
 *   (entry-codec.ts); the first gap is counted from `first`
 *
 * Positions in the run's own commit are counted from `payload start`, because the commit's layout is not known before it closes.
 */
export const RUN_HEAD_BYTES = 8

export interface IndexRun {
  readonly count: number
  readonly entries: EntryColumns
}

/** Entries that point at the commit which the run goes into have a position relative to its payloads. */
export function encodeRun(log: LogId, first: number, entries: EntryColumns, from: number, count: number): Uint8Array {
  const writer = new ByteWriter(RUN_HEAD_BYTES + 16 + count * 16)
  writer.skip(RUN_HEAD_BYTES)
  writer.varint(log)
  writer.varint(first)
  writer.varint(count)
  writeEntries(writer, first, entries, from, count)
  return writer.bytes.slice(0, writer.at)
}

/** Completes an encoded run when its commit closes. */
export function finishRun(payload: Uint8Array, payloadStart: number, crc32c: Crc32c): void {
  writeUint32(payload, 4, payloadStart)
  writeUint32(payload, 0, crc32c(payload.subarray(4)))
}

/** @throws MillraceError `data_corrupt` */
export function decodeRun(payload: Uint8Array, log: LogId, run: RunDescriptor, crc32c: Crc32c): IndexRun {
  if (payload.length !== run.length || readUint32(payload, 0) !== crc32c(payload.subarray(4))) {
    throw corrupt(run.seq, `the index run at byte ${run.position} does not match its checksum`)
  }
  const payloadStart = readUint32(payload, 4)
  const reader = new ByteReader(payload, RUN_HEAD_BYTES)
  if (reader.varint() !== log || reader.varint() !== run.first) {
    throw corrupt(run.seq, `the index run at byte ${run.position} is not that of log ${log}, offset ${run.first}`)
  }
  const count = reader.varint()
  if (count > payload.length) throw corrupt(run.seq, `the index run at byte ${run.position} claims ${count} entries`)
  const entries = makeColumns(count)
  let n = 0
  readEntries(reader, run.first, count, (base, offsets, seq, position, length, timestampMs, shape) => {
    entries.base[n] = base
    entries.offsets[n] = offsets
    entries.seq[n] = seq
    entries.position[n] = position + (seq === run.seq ? payloadStart : 0)
    entries.length[n] = length
    entries.timestampMs[n] = timestampMs
    entries.shape[n] = shape
    n++
  })
  return { count, entries }
}

/** Memory of a decoded run. */
export function runMemoryBytes(run: IndexRun): number {
  return run.count * ENTRY_BYTES + 1000
}
