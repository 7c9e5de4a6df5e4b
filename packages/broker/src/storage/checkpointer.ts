import type { Crc32c } from '../ports/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import { writeLedger, writeLog, writeLogsHead } from './checkpoint-stream.ts'
import type { StorageLimits } from './limits.ts'
import type { LogIndex } from './log-index.ts'
import type { LogState } from './log-state.ts'
import type { LogId } from './log-store.ts'
import type { OpenCommit } from './open-commit.ts'
import { ByteWriter, readUint32, writeUint32 } from './varints.ts'

/** Where the last complete checkpoint is. */
export interface CheckpointPointer {
  /** First commit to replay on top of it; -1: there is none. */
  readonly first: number
  /** The commit that holds its end. */
  readonly last: number
}

export const NO_CHECKPOINT: CheckpointPointer = { first: -1, last: -1 }

interface Underway {
  readonly first: number
  /** Logs from this id on are newer than the checkpoint. */
  readonly idEnd: LogId
  readonly logs: Iterator<LogState>
  /** Commits that hold its parts. */
  readonly seqs: number[]
  bytes: number
  /** All sections are in the stream. */
  isWhole: boolean
  /** The commit with its end, which is not durable yet; -1: not written. */
  last: number
}

/** Writes the index into the journal now and then, one slice per commit, so that opening need not read everything. */
export class Checkpointer {
  current: CheckpointPointer
  /** What commits that close now say: the newest whose end is in this commit or before it. If they are durable, so is that. */
  announced: CheckpointPointer
  /** First commit that the checkpoint before the current one needs: as long as it is kept, a damaged checkpoint costs nothing. */
  previousFirst: number
  completed = 0
  /** Those that were written while the store went on: of several moments. */
  sliced = 0
  readonly #index: LogIndex
  readonly #journal: Journal
  readonly #crc32c: Crc32c
  readonly #limits: StorageLimits
  #underway: Underway | undefined
  #isWanted = false
  #bytesSince: number
  #commitsSince: number
  #lastBytes: number
  /** Encoded and not in a commit yet. */
  #stream = new ByteWriter(64 * 1024)
  #streamFrom = 0
  #section = new ByteWriter(64 * 1024)

  constructor(index: LogIndex, journal: Journal, crc32c: Crc32c, limits: StorageLimits, found: CheckpointFound) {
    this.#index = index
    this.#journal = journal
    this.#crc32c = crc32c
    this.#limits = limits
    this.current = found.pointer
    this.announced = found.pointer
    this.previousFirst = found.previousFirst
    this.#bytesSince = found.replayedBytes
    this.#commitsSince = found.replayedCommits
    this.#lastBytes = found.bytes
  }

  get isUnderway(): boolean {
    return this.#underway !== undefined || this.#isWanted
  }

  /** Commits since the current checkpoint began. */
  get commitsSince(): number {
    return this.#commitsSince
  }

  /** Asks for a checkpoint now. */
  request(): void {
    if (this.#underway === undefined) this.#isWanted = true
  }

  /** Adds the next slice. */
  fill(open: OpenCommit, room: number, committedTicket: number, nextLogId: LogId): void {
    if (this.#isWanted) this.#begin(committedTicket, nextLogId)
    const underway = this.#underway
    if (underway === undefined || underway.last >= 0) return
    const sliceBytes = Math.min(this.#limits.sliceBytes, room - SLICE_OVERHEAD_BYTES)
    if (sliceBytes < SLICE_BYTES_MIN) return
    if (!underway.isWhole) this.#produce(underway, sliceBytes, committedTicket - 1)
    const left = this.#stream.at - this.#streamFrom
    if (left > 0) {
      const length = Math.min(left, sliceBytes)
      open.addCheckpoint(this.#checked(this.#stream.bytes.subarray(this.#streamFrom, this.#streamFrom + length)), false)
      this.#streamFrom += length
      underway.seqs.push(open.ticket - 1)
      underway.bytes += length
    }
    if (this.#streamFrom < this.#stream.at) return
    this.#stream.reset()
    this.#streamFrom = 0
    const end = encodeEnd(underway)
    if (!underway.isWhole || open.bytes + end.length + SLICE_OVERHEAD_BYTES > this.#journal.limits.batchBytesMax) return
    open.addCheckpoint(this.#checked(end), true)
    underway.last = open.ticket - 1
    this.announced = { first: underway.first, last: underway.last }
  }

  /** A commit became durable. */
  committed(seq: number, bytes: number): void {
    this.#bytesSince += bytes
    this.#commitsSince++
    const underway = this.#underway
    if (underway !== undefined) {
      if (underway.last === seq) this.#complete(underway)
      return
    }
    const bytesDue = Math.max(this.#limits.checkpointBytes, this.#limits.checkpointRatio * this.#lastBytes)
    const commitsDue = Math.max(this.#limits.checkpointCommits, this.#lastBytes / CHECKPOINT_BYTES_PER_COMMIT)
    if (this.#bytesSince >= bytesDue || this.#commitsSince >= commitsDue) this.#isWanted = true
  }

  #begin(committedTicket: number, nextLogId: LogId): void {
    this.#isWanted = false
    this.#bytesSince = 0
    this.#commitsSince = 0
    this.#underway = {
      first: committedTicket,
      idEnd: nextLogId,
      logs: this.#index.logs.values(),
      seqs: [],
      bytes: 0,
      isWhole: false,
      last: -1,
    }
  }

  #complete(underway: Underway): void {
    this.previousFirst = this.current.first < 0 ? underway.first : this.current.first
    this.current = this.announced
    this.#lastBytes = underway.bytes
    this.#underway = undefined
    this.completed++
    if (underway.seqs.length > 1) this.sliced++
  }

  /** Adds one section to the stream: about `bytes` of logs, and at the end of the logs the ledger. */
  #produce(underway: Underway, bytes: number, appliedSeq: number): void {
    const section = this.#section
    section.reset()
    let count = 0
    let idEnd = underway.idEnd
    while (section.at < bytes) {
      const next = underway.logs.next()
      if (next.done === true || next.value.id >= underway.idEnd) {
        underway.isWhole = true
        break
      }
      if (!next.value.isCommitted) continue
      writeLog(section, this.#index, next.value)
      count++
      idEnd = next.value.id + 1
    }
    writeLogsHead(this.#stream, appliedSeq, underway.isWhole ? underway.idEnd : idEnd, count)
    this.#stream.raw(section.written())
    if (!underway.isWhole) return
    this.#index.ledger.refresh(this.#journal.extents())
    writeLedger(this.#stream, appliedSeq, this.#index.ledger.extents)
  }

  #checked(bytes: Uint8Array): Uint8Array {
    const payload = new Uint8Array(4 + bytes.length)
    payload.set(bytes, 4)
    writeUint32(payload, 0, this.#crc32c(bytes))
    return payload
  }
}

/** What recovery found. */
export interface CheckpointFound {
  readonly pointer: CheckpointPointer
  readonly previousFirst: number
  readonly bytes: number
  readonly replayedBytes: number
  readonly replayedCommits: number
}

const SLICE_OVERHEAD_BYTES = 64
const SLICE_BYTES_MIN = 128
/** Replaying a small commit costs about what writing so many bytes of a checkpoint does. */
const CHECKPOINT_BYTES_PER_COMMIT = 256

function encodeEnd(underway: Underway): Uint8Array {
  const writer = new ByteWriter()
  writer.varint(underway.first)
  writer.varint(underway.seqs.length)
  let seq = underway.first
  for (const next of underway.seqs) {
    writer.varint(next - seq)
    seq = next
  }
  return writer.written()
}

/** @returns the commits that hold the parts. @throws MillraceError `data_corrupt` */
export function decodeEnd(reader: { varint(): number }): { readonly first: number; readonly seqs: number[] } {
  const first = reader.varint()
  const seqs: number[] = []
  let seq = first
  for (let left = reader.varint(); left > 0; left--) {
    seq += reader.varint()
    seqs.push(seq)
  }
  return { first, seqs }
}

/** Undoes `#checked`; undefined when the checksum does not match. */
export function uncheckedPart(payload: Uint8Array, crc32c: Crc32c): Uint8Array | undefined {
  if (payload.length < 4) return undefined
  const bytes = payload.subarray(4)
  return readUint32(payload, 0) === crc32c(bytes) ? bytes : undefined
}
