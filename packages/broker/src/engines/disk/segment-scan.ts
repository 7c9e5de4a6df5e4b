/** Reads a segment frame by frame, as recovery does for the segment that was being filled. */
import type { Crc32c } from '../../ports/checksum.ts'
import type { File } from './file-system.ts'
import {
  decodeFrameHeader,
  endMarker,
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  frameBytes,
  frameStart,
  type FrameHeader,
} from './frame.ts'
import { PositionList } from './position-list.ts'
import { ReadWindow } from './read-window.ts'
import { FRAMES_START, indexStart, type SegmentHeader } from './segment-format.ts'

export interface ScanStart {
  readonly seq: number
  readonly previousChecksum: number
}

export interface ExpectedFrames {
  /** Where the segment starts if it has no good frame. */
  readonly start: ScanStart
  /** Where the journal ended in order, if it did. */
  readonly cleanNext: number | undefined
}

export interface SegmentScan {
  /** As the first frame says, or as was expected when there is none. */
  readonly start: ScanStart
  readonly positions: PositionList
  readonly bodyBytes: number
  /** One past the last good frame. */
  readonly end: number
  readonly lastChecksum: number
  readonly lastEpoch: number
  /** `unsynced` of the first frame. */
  readonly firstUnsynced: number
  /** What comes after the good frames. */
  readonly tail: SegmentTail
}

export type SegmentTail =
  /** Nothing. */
  | { readonly kind: 'clean' }
  /** A write that was under way when the machine stopped. Nothing in it was acknowledged by an fdatasync. */
  | { readonly kind: 'torn' }
  /** Frames that were acknowledged follow, so what stands before them was damaged later. */
  | { readonly kind: 'damaged'; readonly validFrameAt: number }

export async function scanSegment(
  file: File,
  segment: SegmentHeader,
  expected: ExpectedFrames,
  crc32c: Crc32c,
): Promise<SegmentScan> {
  const window = new ReadWindow(file, segment.segmentBytes)
  const positions = new PositionList()
  let { start } = expected
  let end = FRAMES_START
  let bodyBytes = 0
  let lastChecksum = expected.start.previousChecksum
  let lastEpoch = 0
  let firstUnsynced = 0
  for (;;) {
    // No `await` for what is in the window: a segment may have hundreds of thousands of frames.
    const header = window.holds(end, FRAME_HEADER_BYTES)
      ? decodeFrameHeader(window.bytes, end - window.start, segment.generation, segment.salt, crc32c)
      : await frameAt(window, end, segment, crc32c)
    if (header === undefined) break
    const isFirst = positions.count === 0
    const isNext = isFirst || (header.seq === start.seq + positions.count && header.previousChecksum === lastChecksum)
    if (!isNext || header.epoch < lastEpoch) break
    if (end + frameBytes(header.bodyBytes) > indexStart(segment.segmentBytes, positions.count + 1)) break
    const isGood = window.holds(end, frameBytes(header.bodyBytes))
      ? isBodyInWindowGood(window, end, header, crc32c)
      : await isBodyGood(window, end, header, crc32c)
    if (!isGood) break
    if (isFirst) {
      start = { seq: header.seq, previousChecksum: header.previousChecksum }
      firstUnsynced = header.unsynced
    }
    positions.push(end)
    end += frameBytes(header.bodyBytes)
    bodyBytes += header.bodyBytes
    lastChecksum = header.bodyChecksum
    lastEpoch = header.epoch
  }
  const next = start.seq + positions.count
  // After a clean end the rest need not be read: up to a whole segment, which takes longer than all else at a start.
  const tail: SegmentTail =
    next === expected.cleanNext ? { kind: 'clean' } : await classifyTail(window, segment, end, next, crc32c)
  return { start, positions, bodyBytes, end, lastChecksum, lastEpoch, firstUnsynced, tail }
}

/**
 * A write starts only after all before it are durable (except the last `unsynced` ones, with durability `os`). So a frame
 * that is valid proves that every sequence below `seq - unsynced` had been written completely.
 */
async function classifyTail(
  window: ReadWindow,
  segment: SegmentHeader,
  from: number,
  seq: number,
  crc32c: Crc32c,
): Promise<SegmentTail> {
  const start = frameStart(segment.generation)
  let kind: 'clean' | 'torn' = 'clean'
  for (let at = from; at + FRAME_HEADER_BYTES <= segment.segmentBytes;) {
    if (!window.holds(at, FRAME_HEADER_BYTES)) await window.load(at)
    const found = window.bytes.indexOf(start, at - window.start)
    if (found < 0) {
      at = nextAligned(window.end - FRAME_HEADER_BYTES)
      continue
    }
    const position = window.start + found
    at = nextAligned(position)
    if (position % FRAME_ALIGNMENT !== 0) continue
    if (position === from) kind = 'torn'
    const header = await frameAt(window, position, segment, crc32c)
    if (header === undefined || header.seq < seq) continue
    if (header.seq - header.unsynced > seq) return { kind: 'damaged', validFrameAt: position }
    kind = 'torn'
  }
  return { kind }
}

function nextAligned(position: number): number {
  return (Math.floor(position / FRAME_ALIGNMENT) + 1) * FRAME_ALIGNMENT
}

async function frameAt(window: ReadWindow, at: number, segment: SegmentHeader, crc32c: Crc32c): Promise<FrameHeader | undefined> {
  if (at + FRAME_HEADER_BYTES > segment.segmentBytes) return undefined
  if (!window.holds(at, FRAME_HEADER_BYTES)) await window.load(at)
  return decodeFrameHeader(window.bytes, at - window.start, segment.generation, segment.salt, crc32c)
}

function isBodyInWindowGood(window: ReadWindow, at: number, header: FrameHeader, crc32c: Crc32c): boolean {
  const start = at - window.start + FRAME_HEADER_BYTES
  const end = start + header.bodyBytes
  if (window.bytes.readUInt32LE(end) !== endMarker(header.headerChecksum)) return false
  return crc32c(window.bytes.subarray(start, end)) === header.bodyChecksum
}

/** The same for a body that reaches beyond the window. */
async function isBodyGood(window: ReadWindow, at: number, header: FrameHeader, crc32c: Crc32c): Promise<boolean> {
  const bodyEnd = at + FRAME_HEADER_BYTES + header.bodyBytes
  let checksum = 0
  for (let position = at + FRAME_HEADER_BYTES; position < bodyEnd;) {
    if (!window.holds(position, 1)) await window.load(position)
    const to = Math.min(bodyEnd, window.end)
    checksum = crc32c(window.bytes.subarray(position - window.start, to - window.start), checksum)
    position = to
  }
  if (!window.holds(bodyEnd, 4)) await window.load(bodyEnd)
  return (
    checksum === header.bodyChecksum && window.bytes.readUInt32LE(bodyEnd - window.start) === endMarker(header.headerChecksum)
  )
}
