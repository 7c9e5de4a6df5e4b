import { CHECKPOINT, CHECKPOINT_END, COMMIT_HEADER_BYTES, corrupt } from './commit-format.ts'
import { CREATE, DELETE, DISCARD, EPOCH, MOVED_SHARED, RECORDS, REWRITE, RUN, SHARED, TRIM } from './commit-format.ts'
import type { CommitDirectory } from './commit-reader.ts'
import type { LogId } from './log-store.ts'
import { ByteReader } from './varints.ts'

/** A log that holds a piece of a commit's payload, and the offset it has there. */
export interface Holder {
  readonly log: LogId
  readonly base: number
}

/** A piece of a commit's payload and what it is. */
export interface PayloadRange {
  /** RECORDS (of any origin, shared or not), RUN, CHECKPOINT or CHECKPOINT_END. */
  readonly kind: number
  readonly position: number
  readonly length: number
  readonly offsets: number
  readonly batches: number
  readonly timestampMs: number
  /** Records: all logs that share them. A run: its log and first offset. */
  readonly holders: readonly Holder[]
}

/** What lies in the payload of a commit, in order. @throws MillraceError `data_corrupt` */
export function* payloadRanges({ header, directory }: CommitDirectory): Generator<PayloadRange> {
  const reader = new ByteReader(directory)
  let position = COMMIT_HEADER_BYTES + directory.length
  while (!reader.done) {
    const kind = reader.varint()
    switch (kind) {
      case RECORDS: {
        const holders = [{ log: reader.varint(), base: reader.varint() }]
        const range = records(reader, header.baseTimestampMs, position, holders)
        yield range
        position += range.length
        break
      }
      case SHARED:
      case MOVED_SHARED: {
        const holders: Holder[] = []
        const sharers = reader.varint()
        const range = records(reader, header.baseTimestampMs, position, holders)
        if (kind === MOVED_SHARED) {
          reader.varint()
          reader.varint()
        }
        for (let n = 0; n < sharers; n++) holders.push({ log: reader.varint(), base: reader.varint() })
        yield range
        position += range.length
        break
      }
      case REWRITE: {
        const log = reader.varint()
        let base = reader.varint()
        for (let skip = 0; skip < 3; skip++) reader.varint()
        for (let left = reader.varint(); left > 0; left--) {
          base += reader.varint()
          const range = records(reader, header.baseTimestampMs, position, [{ log, base }])
          yield range
          base += range.offsets
          position += range.length
        }
        break
      }
      case RUN: {
        const holders = [{ log: reader.varint(), base: reader.varint() }]
        const offsets = reader.varint()
        reader.varint()
        reader.varint()
        const timestampMs = header.baseTimestampMs + reader.zigzag()
        reader.varint()
        const length = reader.varint()
        yield { kind, position, length, offsets, batches: 0, timestampMs, holders }
        position += length
        break
      }
      case CHECKPOINT:
      case CHECKPOINT_END: {
        const length = reader.varint()
        yield { kind, position, length, offsets: 0, batches: 0, timestampMs: 0, holders: [] }
        position += length
        break
      }
      case DISCARD:
        reader.varint()
        reader.varint()
        reader.varint()
        break
      case TRIM:
        reader.varint()
        reader.varint()
        break
      case CREATE:
      case DELETE:
      case EPOCH:
        reader.varint()
        break
      default:
        throw corrupt(header.sequence, `its directory has an entry of unknown kind ${kind}`)
    }
  }
}

/** offsets, batches, length, timestamp: in this order wherever records are described. */
function records(reader: ByteReader, baseTimestampMs: number, position: number, holders: readonly Holder[]): PayloadRange {
  const offsets = reader.varint()
  const batches = reader.varint()
  const length = reader.varint()
  return { kind: RECORDS, position, length, offsets, batches, timestampMs: baseTimestampMs + reader.zigzag(), holders }
}
