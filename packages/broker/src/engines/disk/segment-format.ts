/** Segment header and footer (docs/formats/journal.md, "Segment"). */
import type { Crc32c } from '../../ports/checksum.ts'

export interface SegmentHeader {
  readonly version: number
  readonly generation: number
  /** Random: starts the header checksum of every frame in this segment. */
  readonly salt: number
  readonly segmentBytes: number
}

/** Closes a segment that a later one follows. */
export interface SegmentFooter {
  readonly generation: number
  readonly salt: number
  readonly first: number
  readonly count: number
  /** One past the last frame. */
  readonly end: number
  /** Bytes of all bodies. */
  readonly bodyBytes: number
  /** `previousChecksum` of the first frame. */
  readonly previousChecksum: number
  /** Checksum of the last body. */
  readonly lastChecksum: number
}

export const SEGMENT_VERSION = 1
/** Frames start on a page of their own: the header is never written again once frames arrive. */
export const FRAMES_START = 4096
export const SEGMENT_HEADER_BYTES = 32
export const SEGMENT_FOOTER_BYTES = 64
/** An index entry is the frame's position divided by the frame alignment. */
export const INDEX_ENTRY_BYTES = 4

const HEADER_MAGIC = 0x3153524d // 'MRS1'
const FOOTER_MAGIC = 0x3145524d // 'MRE1'

export function encodeSegmentHeader(header: SegmentHeader, crc32c: Crc32c): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  bytes.writeUInt32LE(HEADER_MAGIC, 0)
  bytes.writeUInt32LE(header.version, 4)
  bytes.writeUInt32LE(header.generation, 8)
  bytes.writeUInt32LE(header.salt, 12)
  writeUint64(bytes, header.segmentBytes, 16)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 28)), 28)
  return bytes
}

export function decodeSegmentHeader(bytes: Buffer, crc32c: Crc32c): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.readUInt32LE(0) !== HEADER_MAGIC) return undefined
  if (crc32c(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28)) return undefined
  return {
    version: bytes.readUInt32LE(4),
    generation: bytes.readUInt32LE(8),
    salt: bytes.readUInt32LE(12),
    segmentBytes: readUint64(bytes, 16),
  }
}

export function encodeSegmentFooter(footer: SegmentFooter, crc32c: Crc32c): Buffer {
  const bytes = Buffer.alloc(SEGMENT_FOOTER_BYTES)
  bytes.writeUInt32LE(FOOTER_MAGIC, 0)
  bytes.writeUInt32LE(footer.generation, 4)
  bytes.writeUInt32LE(footer.salt, 8)
  bytes.writeUInt32LE(footer.count, 12)
  writeUint64(bytes, footer.first, 16)
  writeUint64(bytes, footer.end, 24)
  writeUint64(bytes, footer.bodyBytes, 32)
  bytes.writeUInt32LE(footer.previousChecksum, 40)
  bytes.writeUInt32LE(footer.lastChecksum, 44)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 60)), 60)
  return bytes
}

/** Undefined if the segment was not closed: what stands there is older, or damaged. */
export function decodeSegmentFooter(bytes: Buffer, header: SegmentHeader, crc32c: Crc32c): SegmentFooter | undefined {
  if (bytes.length < SEGMENT_FOOTER_BYTES || bytes.readUInt32LE(0) !== FOOTER_MAGIC) return undefined
  if (crc32c(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return undefined
  if (bytes.readUInt32LE(4) !== header.generation || bytes.readUInt32LE(8) !== header.salt) return undefined
  return {
    generation: header.generation,
    salt: header.salt,
    count: bytes.readUInt32LE(12),
    first: readUint64(bytes, 16),
    end: readUint64(bytes, 24),
    bodyBytes: readUint64(bytes, 32),
    previousChecksum: bytes.readUInt32LE(40),
    lastChecksum: bytes.readUInt32LE(44),
  }
}

/** Where the index of a closed segment starts: it ends where the footer starts. */
export function indexStart(segmentBytes: number, count: number): number {
  return segmentBytes - SEGMENT_FOOTER_BYTES - count * INDEX_ENTRY_BYTES
}

const GENERATION_DIGITS = 10
const SEGMENT_NAME = /^(\d{10})\.(segment|spare)$/

export function segmentName(generation: number): string {
  return `${String(generation).padStart(GENERATION_DIGITS, '0')}.segment`
}

/** A file that waits to be used as a segment, named for the generation it was made for or served last. */
export function spareName(generation: number): string {
  return `${String(generation).padStart(GENERATION_DIGITS, '0')}.spare`
}

export function parseSegmentName(name: string): { generation: number; kind: 'segment' | 'spare' } | undefined {
  const match = SEGMENT_NAME.exec(name)
  if (match === null) return undefined
  return { generation: Number(match[1]), kind: match[2] === 'segment' ? 'segment' : 'spare' }
}

/** Safe integers only. */
function writeUint64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, at)
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
}

function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}
