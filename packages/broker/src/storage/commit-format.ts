import { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import { readInt53, readUint32, writeInt53, writeUint32 } from './varints.ts'

/**
 * One commit is one journal batch: header, directory, payloads (docs/formats/commit.md).
 *
 *   0 magic u32 | 4 version u8 | 5 reserved u24 | 8 sequence i64 | 16 checkpoint first i64 | 24 checkpoint last i64
 *   32 next log id i64 | 40 base timestamp i64 | 48 directory length u32 | 52 directory entries u32
 *   56 directory crc u32 | 60 header crc u32 (over 0..60)
 */
export const COMMIT_HEADER_BYTES = 64

const MAGIC = 0x4d4c434d // MLCM
const VERSION = 1

/** Kinds of directory entries. Those up to CHECKPOINT_END in `payloadKinds` own the next bytes of the payload area, in order. */
export const EPOCH = 1
export const CREATE = 2
export const RECORDS = 3
export const SHARED = 4
export const REWRITE = 5
export const MOVED_SHARED = 6
export const RUN = 7
export const CHECKPOINT = 8
export const CHECKPOINT_END = 9
export const TRIM = 10
export const DISCARD = 11
export const DELETE = 12

export interface CommitHeader {
  readonly sequence: number
  /** First sequence to replay on top of the last complete checkpoint, and the sequence of the commit that holds its end; -1: none. */
  readonly checkpointFirst: number
  readonly checkpointLast: number
  readonly nextLogId: number
  /** Timestamps in the directory are relative to it. */
  readonly baseTimestampMs: number
  readonly directoryLength: number
  readonly entries: number
  readonly directoryCrc: number
}

export function writeCommitHeader(bytes: Uint8Array, header: CommitHeader, crc32c: Crc32c): void {
  writeUint32(bytes, 0, MAGIC)
  writeUint32(bytes, 4, VERSION << 24)
  writeInt53(bytes, 8, header.sequence)
  writeInt53(bytes, 16, header.checkpointFirst)
  writeInt53(bytes, 24, header.checkpointLast)
  writeInt53(bytes, 32, header.nextLogId)
  writeInt53(bytes, 40, header.baseTimestampMs)
  writeUint32(bytes, 48, header.directoryLength)
  writeUint32(bytes, 52, header.entries)
  writeUint32(bytes, 56, header.directoryCrc)
  writeUint32(bytes, 60, crc32c(bytes.subarray(0, 60)))
}

/** @throws MillraceError `data_corrupt` */
export function readCommitHeader(bytes: Uint8Array, sequence: number, crc32c: Crc32c): CommitHeader {
  if (bytes.length < COMMIT_HEADER_BYTES) throw corrupt(sequence, `it has ${bytes.length} bytes`)
  if (readUint32(bytes, 0) !== MAGIC) throw corrupt(sequence, 'it does not begin with the magic number of a commit')
  if (readUint32(bytes, 60) !== crc32c(bytes.subarray(0, 60)))
    throw corrupt(sequence, 'the checksum of its header does not match')
  if (bytes[4] !== VERSION) {
    throw new MillraceError(
      'data_unusable',
      `Commit ${sequence} has format version ${bytes[4]}; this broker reads version ${VERSION}. Use the broker version that wrote the data.`,
    )
  }
  if (readInt53(bytes, 8) !== sequence) throw corrupt(sequence, `it says it is commit ${readInt53(bytes, 8)}`)
  return {
    sequence,
    checkpointFirst: readInt53(bytes, 16),
    checkpointLast: readInt53(bytes, 24),
    nextLogId: readInt53(bytes, 32),
    baseTimestampMs: readInt53(bytes, 40),
    directoryLength: readUint32(bytes, 48),
    entries: readUint32(bytes, 52),
    directoryCrc: readUint32(bytes, 56),
  }
}

export function corrupt(sequence: number, why: string): MillraceError {
  return new MillraceError('data_corrupt', `Commit ${sequence} of the journal is damaged: ${why}. Restore the data from a copy.`)
}
