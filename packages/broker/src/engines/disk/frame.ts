/** One batch on disk (docs/formats/journal.md, "Frame"). */
// hot path
import type { Crc32c } from '../../ports/checksum.ts'

/** The fields of a frame header. Checksums are CRC-32C. */
export interface FrameHeader {
  readonly bodyBytes: number
  readonly epoch: number
  readonly seq: number
  /** Checksum of the body before this one in the journal; 0 for the first. */
  readonly previousChecksum: number
  readonly bodyChecksum: number
  /** How many frames before this one were perhaps not durable yet when it was written: 0 with durability `fsync`. */
  readonly unsynced: number
  readonly headerChecksum: number
}

export const FRAME_ALIGNMENT = 16
export const FRAME_HEADER_BYTES = 40
const END_MARKER_BYTES = 4

const MAGIC = 0x3146524d // 'MRF1'
const GENERATION_AT = 4
const BODY_BYTES_AT = 8
const EPOCH_AT = 12
const SEQ_LOW_AT = 16
const SEQ_HIGH_AT = 20
const PREVIOUS_CHECKSUM_AT = 24
const BODY_CHECKSUM_AT = 28
const UNSYNCED_AT = 32
const HEADER_CHECKSUM_AT = 36

/** The first 8 bytes of every frame in a segment: what a search for frames looks for. */
export function frameStart(generation: number): Buffer {
  const start = Buffer.alloc(8)
  start.writeUInt32LE(MAGIC, 0)
  start.writeUInt32LE(generation, GENERATION_AT)
  return start
}

/** Bytes that a frame takes in its segment: header, body, end marker, zeros up to the alignment. */
export function frameBytes(bodyBytes: number): number {
  return aligned(FRAME_HEADER_BYTES + bodyBytes + END_MARKER_BYTES, FRAME_ALIGNMENT)
}

/** `alignment` is a power of two. Plain arithmetic: positions may exceed 2^31. */
export function aligned(position: number, alignment: number): number {
  const over = position % alignment
  return over === 0 ? position : position + alignment - over
}

/**
 * Writes a frame header into `into`.
 * @param salt random number of the segment that starts the header checksum, so that no payload can forge a frame
 * @returns the header checksum, from which the end marker follows
 */
export function encodeFrameHeader(
  into: Buffer,
  generation: number,
  salt: number,
  header: Omit<FrameHeader, 'headerChecksum'>,
  crc32c: Crc32c,
): number {
  into.writeUInt32LE(MAGIC, 0)
  into.writeUInt32LE(generation, GENERATION_AT)
  into.writeUInt32LE(header.bodyBytes, BODY_BYTES_AT)
  into.writeUInt32LE(header.epoch, EPOCH_AT)
  into.writeUInt32LE(header.seq % 2 ** 32, SEQ_LOW_AT)
  into.writeUInt32LE(Math.floor(header.seq / 2 ** 32), SEQ_HIGH_AT)
  into.writeUInt32LE(header.previousChecksum, PREVIOUS_CHECKSUM_AT)
  into.writeUInt32LE(header.bodyChecksum, BODY_CHECKSUM_AT)
  into.writeUInt32LE(header.unsynced, UNSYNCED_AT)
  const checksum = crc32c(into.subarray(0, HEADER_CHECKSUM_AT), salt)
  into.writeUInt32LE(checksum, HEADER_CHECKSUM_AT)
  return checksum
}

/** Reads a frame header at `at`; undefined if there is none of this generation, or if it is damaged. */
export function decodeFrameHeader(
  bytes: Buffer,
  at: number,
  generation: number,
  salt: number,
  crc32c: Crc32c,
): FrameHeader | undefined {
  if (bytes.readUInt32LE(at) !== MAGIC || bytes.readUInt32LE(at + GENERATION_AT) !== generation) return undefined
  const headerChecksum = bytes.readUInt32LE(at + HEADER_CHECKSUM_AT)
  if (crc32c(bytes.subarray(at, at + HEADER_CHECKSUM_AT), salt) !== headerChecksum) return undefined
  return {
    bodyBytes: bytes.readUInt32LE(at + BODY_BYTES_AT),
    epoch: bytes.readUInt32LE(at + EPOCH_AT),
    seq: bytes.readUInt32LE(at + SEQ_LOW_AT) + bytes.readUInt32LE(at + SEQ_HIGH_AT) * 2 ** 32,
    previousChecksum: bytes.readUInt32LE(at + PREVIOUS_CHECKSUM_AT),
    bodyChecksum: bytes.readUInt32LE(at + BODY_CHECKSUM_AT),
    unsynced: bytes.readUInt32LE(at + UNSYNCED_AT),
    headerChecksum,
  }
}

/** The four bytes after the body. They depend on the whole header, so nothing older in their place can pass for them. */
export function endMarker(headerChecksum: number): number {
  return ~headerChecksum >>> 0
}
