import { COMMIT_HEADER_BYTES, corrupt, type CommitHeader } from './commit-format.ts'
import {
  CHECKPOINT,
  CHECKPOINT_END,
  CREATE,
  DELETE,
  DISCARD,
  EPOCH,
  MOVED_SHARED,
  RECORDS,
  REWRITE,
  RUN,
  SHARED,
  TRIM,
} from './commit-format.ts'
import { entryShape } from './entry-pool.ts'
import type { LogIndex } from './log-index.ts'
import type { LogState } from './log-state.ts'
import type { LogId } from './log-store.ts'
import { ByteReader } from './varints.ts'

// hot path (bench/src/log-store.ts)

/** Which commits the state of a log, loaded from a checkpoint, already includes. */
export interface AppliedBefore {
  /** The last commit that is included in the state of `log`; -1: none. */
  appliedSeq(log: LogId): number
}

/** Applies the directory of a durable commit to the index: the same code for commits of this run and for those found at the start. */
export class DirectoryReplay {
  readonly #index: LogIndex
  #applied: AppliedBefore | undefined
  #seq = 0

  constructor(index: LogIndex, applied?: AppliedBefore) {
    this.#index = index
    this.#applied = applied
  }

  /** From here on every entry is news. */
  forgetCheckpoint(): void {
    this.#applied = undefined
  }

  /** @returns bytes of the whole commit. @throws MillraceError `data_corrupt` */
  apply(header: CommitHeader, directory: Uint8Array): number {
    const index = this.#index
    const reader = new ByteReader(directory)
    const seq = header.sequence
    this.#seq = seq
    let position = COMMIT_HEADER_BYTES + directory.length
    if (index.isAccounting) index.ledger.addCommit(seq)
    while (!reader.done) {
      const kind = reader.varint()
      switch (kind) {
        case RECORDS: {
          const log = this.#log(reader.varint())
          const base = reader.varint()
          const offsets = reader.varint()
          const batches = reader.varint()
          const length = reader.varint()
          const timestampMs = header.baseTimestampMs + reader.zigzag()
          if (log !== undefined) index.add(log, base, offsets, seq, position, length, timestampMs, entryShape(batches, 1))
          position += length
          break
        }
        case SHARED:
        case MOVED_SHARED:
          position += this.#shared(kind, reader, header, position)
          break
        case REWRITE:
          position += this.#rewrite(reader, header, position)
          break
        case RUN:
          position += this.#run(reader, header, position)
          break
        case CHECKPOINT:
        case CHECKPOINT_END:
          position += reader.varint()
          break
        case TRIM: {
          const log = this.#log(reader.varint())
          const start = reader.varint()
          if (log !== undefined) index.trim(log, start)
          break
        }
        case DISCARD: {
          const log = this.#log(reader.varint())
          const first = reader.varint()
          const end = first + reader.varint()
          if (log !== undefined) index.discard(log, first, end)
          break
        }
        case CREATE: {
          const id = reader.varint()
          // The table of logs takes memory up to the highest.
          if (id >= header.nextLogId)
            throw corrupt(seq, `its directory makes log ${id}, beyond the last of ${header.nextLogId - 1}`)
          if (this.#applied === undefined || seq > this.#applied.appliedSeq(id)) index.create(id)
          break
        }
        case DELETE: {
          const log = this.#log(reader.varint())
          if (log !== undefined) index.delete(log)
          break
        }
        case EPOCH:
          reader.varint()
          break
        default:
          throw corrupt(seq, `its directory has an entry of unknown kind ${kind}`)
      }
    }
    return position
  }

  /** The log, unless it is gone or its state includes this commit already. */
  #log(id: LogId): LogState | undefined {
    if (this.#applied !== undefined && this.#seq <= this.#applied.appliedSeq(id)) return undefined
    return this.#index.logs.get(id)
  }

  #shared(kind: number, reader: ByteReader, header: CommitHeader, position: number): number {
    const index = this.#index
    const sharers = reader.varint()
    const offsets = reader.varint()
    const batches = reader.varint()
    const length = reader.varint()
    const timestampMs = header.baseTimestampMs + reader.zigzag()
    const origin = kind === MOVED_SHARED ? header.sequence - reader.varint() : 0
    const sharersBefore = kind === MOVED_SHARED ? reader.varint() : 0
    const shape = entryShape(batches, sharers)
    for (let n = 0; n < sharers; n++) {
      const log = this.#log(reader.varint())
      const base = reader.varint()
      if (log === undefined) continue
      if (kind === MOVED_SHARED) {
        // In a sealed run: the new edition of that run, in this commit, has the new place.
        if (base < log.sealedEnd) {
          index.moveWeight(log, base, header.sequence, length / sharers, origin, length / sharersBefore)
          continue
        }
        index.removeRange(log, base, base + offsets)
      }
      index.add(log, base, offsets, header.sequence, position, length, timestampMs, shape)
    }
    return length
  }

  #rewrite(reader: ByteReader, header: CommitHeader, position: number): number {
    const index = this.#index
    const log = this.#log(reader.varint())
    const first = reader.varint()
    const end = first + reader.varint()
    const originBack = reader.varint()
    const weightBefore = reader.varint()
    const isInTail = log !== undefined && first >= log.sealedEnd
    if (isInTail) index.removeRange(log, first, end)
    let at = position
    let base = first
    for (let left = reader.varint(); left > 0; left--) {
      base += reader.varint()
      const offsets = reader.varint()
      const batches = reader.varint()
      const length = reader.varint()
      const timestampMs = header.baseTimestampMs + reader.zigzag()
      if (isInTail) index.add(log, base, offsets, header.sequence, at, length, timestampMs, entryShape(batches, 1))
      base += offsets
      at += length
    }
    // In a sealed run: the new edition of that run, in this commit, has the new places.
    if (log !== undefined && !isInTail) {
      const origin = originBack === 0 ? -1 : header.sequence - originBack
      index.moveWeight(log, first, header.sequence, at - position, origin, weightBefore)
    }
    return at - position
  }

  #run(reader: ByteReader, header: CommitHeader, position: number): number {
    const id = reader.varint()
    const log = this.#log(id)
    const first = reader.varint()
    const offsets = reader.varint()
    const bytes = reader.varint()
    const weight = reader.varint()
    const maxTimestampMs = header.baseTimestampMs + reader.zigzag()
    const seqMin = header.sequence - reader.varint()
    const length = reader.varint()
    if (log !== undefined) {
      this.#index.putRun(log, {
        first,
        end: first + offsets,
        seq: header.sequence,
        position,
        length,
        bytes,
        weight,
        maxTimestampMs,
        seqMin,
      })
    }
    return length
  }
}
