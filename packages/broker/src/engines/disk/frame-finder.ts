/** Where the frames of segments are. */
// hot path
import type { Crc32c } from '../../ports/checksum.ts'
import type { File } from './file-system.ts'
import { decodeFrameHeader, FRAME_HEADER_BYTES, frameBytes, type FrameHeader } from './frame.ts'
import type { IndexPages } from './index-pages.ts'
import { scanSegment } from './segment-scan.ts'
import type { Segment } from './segment.ts'
import { corrupt } from './stored-segment.ts'
import type { MillraceError } from '../../base/errors.ts'
import { readFully } from './whole-transfers.ts'

/** From its header to the next frame. */
export interface Place {
  readonly start: number
  readonly end: number
}

export interface FoundFrame {
  readonly position: number
  readonly header: FrameHeader
}

export class FrameFinder {
  readonly #indexPages: IndexPages
  readonly #crc32c: Crc32c
  readonly #onWarning: (message: string) => void

  constructor(indexPages: IndexPages, crc32c: Crc32c, onWarning: (message: string) => void) {
    this.#indexPages = indexPages
    this.#crc32c = crc32c
    this.#onWarning = onWarning
  }

  /** Reads the header of a frame. @throws MillraceError `data_corrupt` */
  async find(segment: Segment, file: File, seq: number): Promise<FoundFrame> {
    const place = await this.placeOf(segment, file, seq)
    const header = await this.#headerIn(segment, file, seq, place)
    if (header !== undefined) return { position: place.start, header }
    const scanned = await this.scannedPlaceOf(segment, file, seq)
    const found = scanned === undefined ? undefined : await this.#headerIn(segment, file, seq, scanned)
    if (found === undefined) throw damaged(segment, seq, place.start)
    return { position: scanned!.start, header: found }
  }

  /** By the index, which may be damaged. */
  async placeOf(segment: Segment, file: File, seq: number): Promise<Place> {
    const ordinal = seq - segment.first
    const isLast = ordinal + 1 === segment.count
    if (segment.positions !== undefined) {
      return { start: segment.positions.at(ordinal), end: isLast ? segment.end : segment.positions.at(ordinal + 1) }
    }
    const start = await this.#indexPages.position(segment, file, ordinal)
    const end = isLast ? segment.end : await this.#indexPages.position(segment, file, ordinal + 1)
    return { start, end }
  }

  /** For an index whose entry leads nowhere: the frames are the truth. */
  async scannedPlaceOf(segment: Segment, file: File, seq: number): Promise<Place | undefined> {
    if (!segment.isClosed) return undefined
    const { positions, end } = await scanSegment(
      file,
      segment.header,
      { start: { seq: segment.first, previousChecksum: segment.previousChecksum }, cleanNext: undefined },
      this.#crc32c,
    )
    const ordinal = seq - segment.first
    if (ordinal >= positions.count) return undefined
    this.#onWarning(`${segment.path}: its index is damaged; frames are found by reading the segment`)
    if (positions.count === segment.count) segment.positions = positions
    return { start: positions.at(ordinal), end: ordinal + 1 === positions.count ? end : positions.at(ordinal + 1) }
  }

  /** The header at the start of `bytes`, unless it is damaged or of another frame than the one that has this place. */
  header(segment: Segment, seq: number, place: Place, bytes: Buffer): FrameHeader | undefined {
    const header = decodeFrameHeader(bytes, 0, segment.header.generation, segment.header.salt, this.#crc32c)
    const isIt = header?.seq === seq && frameBytes(header.bodyBytes) === place.end - place.start
    return isIt ? header : undefined
  }

  async #headerIn(segment: Segment, file: File, seq: number, place: Place): Promise<FrameHeader | undefined> {
    if (!isPossible(segment, place)) return undefined
    const bytes = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES)
    await readFully(file, bytes, place.start)
    return this.header(segment, seq, place, bytes)
  }
}

/** Whether a frame may be there at all. */
export function isPossible(segment: Segment, { start, end }: Place): boolean {
  return end <= segment.end && end - start >= FRAME_HEADER_BYTES
}

export function damaged(segment: Segment, seq: number, position: number): MillraceError {
  return corrupt(segment.path, `journal sequence ${seq}, at byte ${position}, fails its checksum`)
}
