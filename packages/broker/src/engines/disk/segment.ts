import type { File } from './file-system.ts'
import { frameBytes } from './frame.ts'
import type { PositionList } from './position-list.ts'
import { FRAMES_START, indexStart, type SegmentHeader } from './segment-format.ts'

/** One segment of the journal: a file full of frames with consecutive sequences. */
export class Segment {
  readonly path: string
  readonly header: SegmentHeader
  /** First sequence in it. */
  readonly first: number
  /** Checksum of the body before its first frame. */
  readonly previousChecksum: number
  count = 0
  /** One past the last frame: where the next one goes. */
  end: number = FRAMES_START
  bodyBytes = 0
  /** Checksum of its last body. */
  lastChecksum: number

  /** The file up to here has been written before, so writing there again needs no allocation. */
  filledEnd: number
  /** Batches in it that are not forgotten. */
  kept = 0

  /** Whether its footer is durable. */
  isClosed = false
  /** Where its frames are, until it is closed and the index can be read from the file. */
  positions: PositionList | undefined

  /** Open while it is in use, see segment-files.ts. */
  file: File | undefined
  /** Reads under way. */
  readers = 0

  constructor(path: string, header: SegmentHeader, first: number, previousChecksum: number, filledEnd: number) {
    this.path = path
    this.header = header
    this.first = first
    this.previousChecksum = previousChecksum
    this.lastChecksum = previousChecksum
    this.filledEnd = filledEnd
  }

  /** One past the last sequence. */
  get next(): number {
    return this.first + this.count
  }

  /** Whether a batch of `bodyBytes` fits, with its entry in the index and the footer. */
  hasRoomFor(bodyBytes: number): boolean {
    return this.end + frameBytes(bodyBytes) <= this.framesEndMax
  }

  /** Frames may reach up to here if one more is added. */
  get framesEndMax(): number {
    return indexStart(this.header.segmentBytes, this.count + 1)
  }
}
