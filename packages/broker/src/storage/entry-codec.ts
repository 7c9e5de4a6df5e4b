import { assert } from '../base/assert.ts'
import { entryShape, shapeBatches, shapeSharers, type EntryColumns } from './entry-pool.ts'
import type { ByteReader, ByteWriter } from './varints.ts'

/**
 * Index entries in offset order, as an index run and a checkpoint hold them (docs/formats/commit.md). For each: gap before it, offsets,
 * sequence (zigzag, from the one before; the first from 0), position, length, timestamp (likewise), batches, sharers; all varints.
 */

/** Writes `count` entries from row `from` on; the first gap is counted from offset `end`. */
export function writeEntries(writer: ByteWriter, end: number, entries: EntryColumns, from: number, count: number): void {
  let seq = 0
  let timestampMs = 0
  for (let at = from; at < from + count; at++) {
    assert(entries.base[at]! >= end, 'the entries of a log overlap')
    writer.varint(entries.base[at]! - end)
    writer.varint(entries.offsets[at]!)
    writer.zigzag(entries.seq[at]! - seq)
    writer.varint(entries.position[at]!)
    writer.varint(entries.length[at]!)
    writer.zigzag(entries.timestampMs[at]! - timestampMs)
    writer.varint(shapeBatches(entries.shape[at]!))
    writer.varint(shapeSharers(entries.shape[at]!))
    end = entries.base[at]! + entries.offsets[at]!
    seq = entries.seq[at]!
    timestampMs = entries.timestampMs[at]!
  }
}

/** One entry, in single values: as an object it would cost more than reading it. */
export type TakeEntry = (
  base: number,
  offsets: number,
  seq: number,
  position: number,
  length: number,
  timestampMs: number,
  shape: number,
) => void

/** Reads `count` entries that `writeEntries` wrote. */
export function readEntries(reader: ByteReader, end: number, count: number, take: TakeEntry): void {
  let seq = 0
  let timestampMs = 0
  for (let left = count; left > 0; left--) {
    const base = end + reader.varint()
    const offsets = reader.varint()
    seq += reader.zigzag()
    const position = reader.varint()
    const length = reader.varint()
    timestampMs += reader.zigzag()
    const batches = reader.varint()
    take(base, offsets, seq, position, length, timestampMs, entryShape(batches, reader.varint()))
    end = base + offsets
  }
}
