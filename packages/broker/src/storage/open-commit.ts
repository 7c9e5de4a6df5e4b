import { batchMaxTimestampMs } from '@millrace/wire'
import type { Crc32c } from '../ports/checksum.ts'
import { COMMIT_HEADER_BYTES, writeCommitHeader, type CommitHeader } from './commit-format.ts'
import {
  CHECKPOINT,
  CHECKPOINT_END,
  CREATE,
  DELETE,
  DISCARD,
  EPOCH,
  MOVED_SHARED,
  REWRITE,
  RUN,
  SHARED,
  TRIM,
} from './commit-format.ts'
import { commitChecksum } from './commit-checksum.ts'
import type { CommitMemory } from './commit-memory.ts'
import { DirectoryWriter } from './directory-writer.ts'
import { finishRun } from './index-run.ts'
import type { LogState } from './log-state.ts'
import type { LogId, Ticket } from './log-store.ts'
import { RecordRows, type RecordRowsLimits } from './record-rows.ts'
import { Slabs } from './slabs.ts'
import type { CommitBytes } from './tail-cache.ts'
import { ByteWriter } from './varints.ts'

// hot path (bench/src/log-store.ts)

/** A commit on its way to the journal. */
export interface ClosedCommit {
  readonly header: CommitHeader
  readonly directory: Uint8Array
  /** Header and directory, the first of the parts. */
  readonly head: Uint8Array
  /** The journal batch. */
  readonly parts: readonly Uint8Array[]
  readonly bytes: number
  /** Of the whole, where most of it needs no reading for that. */
  readonly checksum: number | undefined
  /** The records in it, for the tail cache. */
  readonly cached: CommitBytes
}

/** What a directory says of a sealed run. */
export interface RunSummary {
  readonly first: number
  readonly end: number
  readonly bytes: number
  readonly weight: number
  readonly maxTimestampMs: number
  readonly seqMin: number
}

/** Upper bounds of what one directory entry takes, in bytes. */
const RECORD_ENTRY_BYTES = 48
const SHARER_BYTES = 16
const SMALL_ENTRY_BYTES = 24

/** A part of an entry's bytes in a `REWRITE`: one or more adjacent batches. */
export interface RewrittenPiece {
  readonly base: number
  readonly offsets: number
  readonly batches: number
  readonly timestampMs: number
  readonly bytes: Uint8Array
}

/**
 * The commit that is being filled. What is added is encoded at once, except for records: they are laid out when it closes. One object
 * serves one commit after the other.
 */
export class OpenCommit {
  ticket: Ticket
  readonly #limits: RecordRowsLimits
  /** Upper bound of its size when encoded. */
  #bytes = COMMIT_HEADER_BYTES
  #baseTimestampMs = 0
  #hasBaseTimestamp = false

  readonly #slabs = new Slabs()
  readonly #rows: RecordRows

  // Everything else is encoded as it comes.
  readonly #creations = new DirectoryWriter()
  readonly #recordEntries = new DirectoryWriter(4096)
  readonly #others = new DirectoryWriter()
  readonly #removals = new DirectoryWriter()
  readonly #sections = [this.#creations, this.#recordEntries, this.#others, this.#removals] as const
  /** Payloads of `#others`, in order. `isCold`: not for the tail cache. */
  #otherParts: { readonly bytes: Uint8Array; readonly isCold: boolean }[] = []
  #otherBytes = 0
  /** Payloads of sealed runs: they say where this commit's other payloads begin, which is known at its close. */
  #runs: Uint8Array[] = []

  // Shared batches with the same sharers, one after the other, become one entry.
  #sharers: readonly LogState[] = []
  #sharedBases: readonly number[] = []
  #sharedOffsets = 0
  #sharedBatches = 0
  /** They are gathered here; large ones are not. */
  readonly #shared = new ByteWriter(4096)
  #sharedTimestampMs = 0

  /** @param memory for records */
  constructor(ticket: Ticket, limits: RecordRowsLimits, memory: CommitMemory) {
    this.ticket = ticket
    this.#limits = limits
    this.#rows = new RecordRows(limits, memory, this.#slabs)
  }

  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#bytes === COMMIT_HEADER_BYTES
  }

  addRecords(log: LogState, base: number, offsets: number, batch: Uint8Array): void {
    const timestampMs = clamped(batchMaxTimestampMs(batch))
    if (!this.#hasBaseTimestamp) this.#setBaseTimestamp(timestampMs)
    this.#rows.add(this.ticket, log, base, offsets, timestampMs, batch)
    this.#bytes += batch.length + RECORD_ENTRY_BYTES
  }

  /** @param logs with `bases`, kept */
  addShared(logs: readonly LogState[], bases: readonly number[], offsets: number, batch: Uint8Array): void {
    const { length } = batch
    const timestampMs = clamped(batchMaxTimestampMs(batch))
    this.#bytes += length
    if (this.#continuesShared(logs, bases, length)) {
      this.#sharedOffsets += offsets
      this.#sharedBatches++
      this.#sharedTimestampMs = Math.max(this.#sharedTimestampMs, timestampMs)
    } else {
      this.#flushShared()
      this.#setBaseTimestamp(timestampMs)
      this.#sharers = logs
      this.#sharedBases = bases
      this.#sharedOffsets = offsets
      this.#sharedBatches = 1
      this.#sharedTimestampMs = timestampMs
      this.#bytes += RECORD_ENTRY_BYTES + logs.length * SHARER_BYTES
    }
    if (length >= this.#limits.largeBatchBytes) return this.#endShared(batch)
    this.#shared.raw(batch)
  }

  addEpoch(epoch: number): void {
    this.#creations.begin(EPOCH)
    this.#creations.varint(epoch)
    this.#bytes += SMALL_ENTRY_BYTES
  }

  addCreation(log: LogId): void {
    this.#creations.begin(CREATE)
    this.#creations.varint(log)
    this.#bytes += SMALL_ENTRY_BYTES
  }

  addDeletion(log: LogId): void {
    this.#removals.begin(DELETE)
    this.#removals.varint(log)
    this.#bytes += SMALL_ENTRY_BYTES
  }

  addTrim(log: LogId, start: number): void {
    this.#removals.begin(TRIM)
    this.#removals.varint(log)
    this.#removals.varint(start)
    this.#bytes += SMALL_ENTRY_BYTES
  }

  addDiscard(log: LogId, first: number, end: number): void {
    this.#removals.begin(DISCARD)
    this.#removals.varint(log)
    this.#removals.varint(first)
    this.#removals.varint(end - first)
    this.#bytes += SMALL_ENTRY_BYTES
  }

  /**
   * Batches that take the place of all that lies in [first, end) of `log`.
   * @param origin the commit they were copied from, or -1
   * @param weightBefore what they weighed there
   * @returns where their bytes begin, counted from the first of `#otherParts`
   */
  addRewrite(
    log: LogState,
    first: number,
    end: number,
    origin: number,
    weightBefore: number,
    pieces: readonly RewrittenPiece[],
  ): number {
    this.#flushShared()
    if (pieces.length > 0) this.#setBaseTimestamp(pieces[0]!.timestampMs)
    const entries = this.#others
    entries.begin(REWRITE)
    entries.varint(log.id)
    entries.varint(first)
    entries.varint(end - first)
    entries.varint(origin < 0 ? 0 : this.#seq - origin)
    entries.varint(Math.round(weightBefore))
    entries.varint(pieces.length)
    const position = this.#otherBytes
    let at = first
    for (const piece of pieces) {
      entries.varint(piece.base - at)
      entries.varint(piece.offsets)
      entries.varint(piece.batches)
      entries.varint(piece.bytes.length)
      entries.zigzag(clamped(piece.timestampMs) - this.#baseTimestampMs)
      at = piece.base + piece.offsets
      this.#addOther(piece.bytes, true)
    }
    this.#bytes += RECORD_ENTRY_BYTES * (1 + pieces.length)
    return position
  }

  /** A batch that several logs share, copied from commit `origin`. @returns as `addRewrite` */
  addMovedShared(
    logs: readonly LogState[],
    bases: readonly number[],
    offsets: number,
    batches: number,
    timestampMs: number,
    origin: number,
    sharersBefore: number,
    bytes: Uint8Array,
  ): number {
    this.#flushShared()
    this.#setBaseTimestamp(timestampMs)
    const entries = this.#others
    this.#writeShared(MOVED_SHARED, logs.length, offsets, batches, bytes.length, timestampMs)
    entries.varint(this.#seq - origin)
    entries.varint(sharersBefore)
    for (let n = 0; n < logs.length; n++) {
      entries.varint(logs[n]!.id)
      entries.varint(bases[n]!)
    }
    const position = this.#otherBytes
    this.#addOther(bytes, true)
    this.#bytes += 2 * RECORD_ENTRY_BYTES + logs.length * SHARER_BYTES
    return position
  }

  /** A sealed run; the first RUN_HEAD_BYTES of `payload` are filled in when the commit closes. */
  addRun(log: LogState, run: RunSummary, payload: Uint8Array): void {
    this.#flushShared()
    this.#setBaseTimestamp(run.maxTimestampMs)
    const entries = this.#others
    entries.begin(RUN)
    entries.varint(log.id)
    entries.varint(run.first)
    entries.varint(run.end - run.first)
    entries.varint(run.bytes)
    entries.varint(Math.round(run.weight))
    entries.zigzag(clamped(run.maxTimestampMs) - this.#baseTimestampMs)
    entries.varint(this.#seq - run.seqMin)
    entries.varint(payload.length)
    this.#addOther(payload, true)
    this.#runs.push(payload)
    this.#bytes += 2 * RECORD_ENTRY_BYTES
  }

  /** Bytes of a checkpoint; `isEnd`: those that say where the others are. */
  addCheckpoint(payload: Uint8Array, isEnd: boolean): void {
    this.#flushShared()
    this.#others.begin(isEnd ? CHECKPOINT_END : CHECKPOINT)
    this.#others.varint(payload.length)
    this.#addOther(payload, true)
    this.#bytes += SMALL_ENTRY_BYTES
  }

  /** Encodes it and starts the next one, with the next ticket. */
  close(nextLogId: number, checkpointFirst: number, checkpointLast: number, crc32c: Crc32c): ClosedCommit {
    this.#flushShared()
    const parts: Uint8Array[] = []
    this.#rows.layOut(this.#recordEntries, this.#baseTimestampMs, parts)
    const recordParts = parts.length
    for (const part of this.#otherParts) parts.push(part.bytes)

    let directoryLength = 0
    let entries = 0
    for (const section of this.#sections) {
      directoryLength += section.at
      entries += section.entries
    }
    const head = this.#slabs.take(COMMIT_HEADER_BYTES + directoryLength)
    let at = COMMIT_HEADER_BYTES
    for (const section of this.#sections) {
      if (section.at === 0) continue
      head.set(section.written(), at)
      at += section.at
    }
    const directory = head.subarray(COMMIT_HEADER_BYTES)
    const header: CommitHeader = {
      sequence: this.#seq,
      checkpointFirst,
      checkpointLast,
      nextLogId,
      baseTimestampMs: this.#baseTimestampMs,
      directoryLength,
      entries,
      directoryCrc: crc32c(directory),
    }
    writeCommitHeader(head, header, crc32c)

    const cached = this.#cacheable(parts, recordParts, head.length)
    for (const run of this.#runs) finishRun(run, cached.othersAt, crc32c)
    let bytes = head.length
    for (const part of parts) bytes += part.length
    const checksum = commitChecksum(head, parts, recordParts, this.#limits.largeBatchBytes, crc32c)
    parts.unshift(head)
    this.#reset()
    return { header, directory, head, parts, bytes, checksum, cached: cached.commit }
  }

  get #seq(): number {
    return this.ticket - 1
  }

  #cacheable(parts: readonly Uint8Array[], recordParts: number, headLength: number): { commit: CommitBytes; othersAt: number } {
    const starts: number[] = []
    const kept: Uint8Array[] = []
    let bytes = 0
    let position = headLength
    let othersAt = headLength
    for (let n = 0; n < parts.length; n++) {
      const part = parts[n]!
      if (n === recordParts) othersAt = position
      if (n < recordParts || !this.#otherParts[n - recordParts]!.isCold) {
        starts.push(position)
        kept.push(part)
        bytes += part.length
      }
      position += part.length
    }
    return { commit: { starts, parts: kept, bytes, blocks: this.#rows.blocks }, othersAt }
  }

  #continuesShared(logs: readonly LogState[], bases: readonly number[], length: number): boolean {
    if (this.#sharers.length !== logs.length || logs.length === 0) return false
    if (this.#shared.at + length > this.#limits.entryBytesMax) return false
    for (let n = 0; n < logs.length; n++) {
      if (this.#sharers[n] !== logs[n] || this.#sharedBases[n]! + this.#sharedOffsets !== bases[n]) return false
    }
    return true
  }

  #flushShared(): void {
    if (this.#sharers.length > 0) this.#endShared(NOTHING)
  }

  /** @param large the last of the batches, if it was not gathered */
  #endShared(large: Uint8Array): void {
    const gathered = this.#shared.at
    const bytes = this.#rows.memory(gathered + large.length)
    bytes.set(this.#shared.written())
    bytes.set(large, gathered)
    const sharers = this.#sharers
    this.#writeShared(SHARED, sharers.length, this.#sharedOffsets, this.#sharedBatches, bytes.length, this.#sharedTimestampMs)
    for (let n = 0; n < sharers.length; n++) {
      this.#others.varint(sharers[n]!.id)
      this.#others.varint(this.#sharedBases[n]!)
    }
    // They were counted when they came.
    this.#bytes -= bytes.length
    this.#addOther(bytes, false)
    this.#sharers = []
    this.#sharedBases = []
    this.#shared.reset()
  }

  #writeShared(kind: number, sharers: number, offsets: number, batches: number, length: number, timestampMs: number): void {
    const entries = this.#others
    entries.begin(kind)
    entries.varint(sharers)
    entries.varint(offsets)
    entries.varint(batches)
    entries.varint(length)
    entries.zigzag(clamped(timestampMs) - this.#baseTimestampMs)
  }

  #addOther(bytes: Uint8Array, isCold: boolean): void {
    this.#otherParts.push({ bytes, isCold })
    this.#otherBytes += bytes.length
    this.#bytes += bytes.length
  }

  #setBaseTimestamp(timestampMs: number): void {
    if (this.#hasBaseTimestamp) return
    this.#hasBaseTimestamp = true
    this.#baseTimestampMs = clamped(timestampMs)
  }

  #reset(): void {
    this.ticket++
    this.#bytes = COMMIT_HEADER_BYTES
    this.#baseTimestampMs = 0
    this.#hasBaseTimestamp = false
    this.#rows.reset()
    for (const section of this.#sections) section.reset()
    this.#otherParts = []
    this.#otherBytes = 0
    this.#runs = []
  }
}

const NOTHING = new Uint8Array(0)
/** Clients may set any timestamp; the index keeps what fits its integers. */
const TIMESTAMP_MAX = 2 ** 50

function clamped(timestampMs: number): number {
  return timestampMs > TIMESTAMP_MAX ? TIMESTAMP_MAX : timestampMs < -TIMESTAMP_MAX ? -TIMESTAMP_MAX : timestampMs
}
