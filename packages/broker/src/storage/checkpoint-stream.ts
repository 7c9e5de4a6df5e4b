import { MillraceError } from '../base/errors.ts'
import { readEntries, writeEntries } from './entry-codec.ts'
import type { LedgerExtent } from './extent-ledger.ts'
import type { LogIndex } from './log-index.ts'
import { LogState } from './log-state.ts'
import type { LogId } from './log-store.ts'
import { insertInTail } from './log-tail.ts'
import { RangeSet } from './range-set.ts'
import { ByteReader, type ByteWriter } from './varints.ts'

/**
 * A checkpoint is a stream of sections (docs/formats/commit.md). It is fuzzy: each section of logs says up to which commit it is right,
 * and replay leaves out for these logs what they include already.
 */
const LOGS = 1
const LEDGER = 2

/** Sections of logs: all logs with an id below `idEnd` (and at or above the one before) are as of commit `appliedSeq`. */
interface Section {
  readonly idEnd: LogId
  readonly appliedSeq: number
}

/** What a checkpoint says about replay. */
export class CheckpointSections {
  readonly #sections: Section[] = []
  /** The ledger is as of this commit; no section of logs is newer. */
  ledgerSeq = -1

  add(section: Section): void {
    this.#sections.push(section)
  }

  appliedSeq(log: LogId): number {
    let low = 0
    let high = this.#sections.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sections[middle]!.idEnd <= log) low = middle + 1
      else high = middle
    }
    return this.#sections[low]?.appliedSeq ?? -1
  }
}

export function writeLogsHead(writer: ByteWriter, appliedSeq: number, idEnd: LogId, count: number): void {
  writer.varint(LOGS)
  writer.varint(appliedSeq + 1)
  writer.varint(idEnd)
  writer.varint(count)
}

export function writeLog(writer: ByteWriter, index: LogIndex, log: LogState): void {
  writer.varint(log.id)
  writer.varint(log.start)
  writer.varint(log.end - log.start)
  writer.varint(log.sealedEnd)
  writeFraction(writer, log.bytes)
  writeHoles(writer, log)
  writeRuns(writer, log)
  writeTail(writer, index, log)
}

export function writeLedger(writer: ByteWriter, appliedSeq: number, extents: readonly LedgerExtent[]): void {
  writer.varint(LEDGER)
  writer.varint(appliedSeq + 1)
  writer.varint(extents.length)
  for (const extent of extents) {
    writer.varint(extent.first)
    writer.varint(extent.next - extent.first)
    writeFraction(writer, extent.live)
    writeFraction(writer, extent.drift)
  }
}

/** Loads a checkpoint into an empty index. @throws MillraceError `data_corrupt` */
export function readCheckpoint(stream: Uint8Array, index: LogIndex): CheckpointSections {
  const reader = new ByteReader(stream)
  const sections = new CheckpointSections()
  while (!reader.done) {
    const kind = reader.varint()
    const appliedSeq = reader.varint() - 1
    if (kind === LOGS) {
      sections.add({ appliedSeq, idEnd: reader.varint() })
      for (let left = reader.varint(); left > 0; left--) readLog(reader, index)
    } else if (kind === LEDGER) {
      sections.ledgerSeq = appliedSeq
      index.ledger.reset(appliedSeq + 1)
      for (let left = reader.varint(); left > 0; left--) {
        const first = reader.varint()
        const next = first + reader.varint()
        const live = readFraction(reader)
        index.ledger.restore(first, next, live, readFraction(reader))
      }
    } else throw new MillraceError('data_corrupt', `A checkpoint has a section of unknown kind ${kind}.`)
  }
  return sections
}

function readLog(reader: ByteReader, index: LogIndex): void {
  const id = reader.varint()
  const start = reader.varint()
  const log = new LogState(id, start + reader.varint())
  log.start = start
  log.isCommitted = true
  log.sealedEnd = reader.varint()
  log.bytes = readFraction(reader)
  readHoles(reader, index, log)
  readRuns(reader, index, log)
  readTail(reader, index, log)
  index.logs.add(log)
}

function writeHoles(writer: ByteWriter, log: LogState): void {
  const count = log.holes?.count ?? 0
  writer.varint(count)
  let end = log.start
  for (let n = 0; n < count; n++) {
    writer.varint(log.holes!.first(n) - end)
    writer.varint(log.holes!.end(n) - log.holes!.first(n))
    end = log.holes!.end(n)
  }
}

function readHoles(reader: ByteReader, index: LogIndex, log: LogState): void {
  const count = reader.varint()
  if (count === 0) return
  const holes = new RangeSet()
  let end = log.start
  for (let n = 0; n < count; n++) {
    const first = end + reader.varint()
    end = first + reader.varint()
    holes.add(first, end)
  }
  index.restoreHoles(log, holes)
}

function writeRuns(writer: ByteWriter, log: LogState): void {
  const count = log.runs?.count ?? 0
  writer.varint(count)
  let end = 0
  let seq = 0
  let timestampMs = 0
  for (let n = 0; n < count; n++) {
    const run = log.runs!.at(n)
    writer.varint(run.first - end)
    writer.varint(run.end - run.first)
    writer.zigzag(run.seq - seq)
    writer.varint(run.position)
    writer.varint(run.length)
    writer.varint(run.bytes)
    writer.varint(run.weight)
    writer.zigzag(run.maxTimestampMs - timestampMs)
    writer.varint(run.seq - run.seqMin)
    end = run.end
    seq = run.seq
    timestampMs = run.maxTimestampMs
  }
}

function readRuns(reader: ByteReader, index: LogIndex, log: LogState): void {
  let end = 0
  let seq = 0
  let timestampMs = 0
  for (let left = reader.varint(); left > 0; left--) {
    const first = end + reader.varint()
    end = first + reader.varint()
    seq += reader.zigzag()
    const position = reader.varint()
    const length = reader.varint()
    const bytes = reader.varint()
    const weight = reader.varint()
    timestampMs += reader.zigzag()
    const seqMin = seq - reader.varint()
    index.restoreRun(log, { first, end, seq, position, length, bytes, weight, maxTimestampMs: timestampMs, seqMin })
  }
}

function writeTail(writer: ByteWriter, index: LogIndex, log: LogState): void {
  writer.varint(log.tailCount)
  if (log.tailCount === 0) return
  const page = index.pool.page(log.tailHandle)
  const from = index.pool.first(log.tailHandle) + log.tailFirst
  writeEntries(writer, 0, page, from, log.tailCount)
}

function readTail(reader: ByteReader, index: LogIndex, log: LogState): void {
  readEntries(reader, 0, reader.varint(), (base, offsets, seq, position, length, timestampMs, shape) =>
    insertInTail(index.pool, log, base, offsets, seq, position, length, timestampMs, shape),
  )
}

/** Weights are whole numbers, except where batches are shared or forgotten in part: then to 1/1024. */
function writeFraction(writer: ByteWriter, value: number): void {
  writer.zigzag(Number.isInteger(value) ? value * 2 : Math.round(value * 1024) * 2 + 1)
}

function readFraction(reader: ByteReader): number {
  const value = reader.zigzag()
  return value % 2 === 0 ? value / 2 : (value - 1) / 2 / 1024
}
