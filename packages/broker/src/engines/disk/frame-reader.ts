/** Finds and reads single frames of segments: at most two reads of the file for a batch, one more when its index page is not cached. */
// hot path
import { KIB, MIB } from '../../base/units.ts'
import type { MillraceError } from '../../base/errors.ts'
import type { Crc32c } from '../../ports/checksum.ts'
import type { File } from './file-system.ts'
import { decodeFrameHeader, endMarker, FRAME_HEADER_BYTES, frameBytes, type FrameHeader } from './frame.ts'
import type { IndexPages } from './index-pages.ts'
import { scanSegment } from './segment-scan.ts'
import type { Segment } from './segment.ts'
import { corrupt } from './stored-segment.ts'
import { readFully } from './whole-transfers.ts'

/** Frames up to this size are read and checked as a whole, whatever part of them is asked for. */
const WHOLE_FRAME_BYTES_MAX: number = 32 * KIB
const VERIFY_PIECE_BYTES: number = MIB

interface Place {
  readonly start: number
  readonly end: number
}

interface FrameAt {
  readonly position: number
  readonly header: FrameHeader
  /** The frame as far as it was read together with its header. */
  readonly bytes: Buffer
}

export class FrameReader {
  readonly #indexPages: IndexPages
  readonly #crc32c: Crc32c
  readonly #onWarning: (message: string) => void

  constructor(indexPages: IndexPages, crc32c: Crc32c, onWarning: (message: string) => void) {
    this.#indexPages = indexPages
    this.#crc32c = crc32c
    this.#onWarning = onWarning
  }

  async length(segment: Segment, file: File, seq: number): Promise<number> {
    const frame = await this.#find(segment, file, seq, 0)
    return frame.header.bodyBytes
  }

  /** Checks small frames, and every body that is read as a whole. A part of a large body is for the caller to check. */
  async read(segment: Segment, file: File, seq: number, from: number, length: number): Promise<Uint8Array> {
    const frame = await this.#find(segment, file, seq, from + length)
    const { bodyBytes } = frame.header
    const to = Math.min(from + length, bodyBytes)
    if (from >= to) return new Uint8Array(0)
    const inHand = frame.bytes.subarray(FRAME_HEADER_BYTES)
    if (inHand.length >= bodyBytes) this.#check(segment, seq, frame, inHand.subarray(0, bodyBytes))
    if (inHand.length >= to)
      return to - from === bodyBytes ? inHand.subarray(0, bodyBytes) : Buffer.from(inHand.subarray(from, to))
    const part = Buffer.allocUnsafeSlow(to - from)
    await readFully(file, part, frame.position + FRAME_HEADER_BYTES + from)
    if (part.length === bodyBytes) this.#check(segment, seq, frame, part)
    return part
  }

  async verify(segment: Segment, file: File, seq: number): Promise<void> {
    const { position, header } = await this.#find(segment, file, seq, 0)
    const bodyEnd = position + FRAME_HEADER_BYTES + header.bodyBytes
    const piece = Buffer.allocUnsafe(Math.min(VERIFY_PIECE_BYTES, header.bodyBytes + 4))
    let checksum = 0
    for (let at = position + FRAME_HEADER_BYTES; at < bodyEnd;) {
      const part = piece.subarray(0, Math.min(piece.length, bodyEnd - at))
      await readFully(file, part, at)
      checksum = this.#crc32c(part, checksum)
      at += part.length
    }
    await readFully(file, piece.subarray(0, 4), bodyEnd)
    const isWhole = piece.readUInt32LE(0) === endMarker(header.headerChecksum)
    if (checksum !== header.bodyChecksum || !isWhole) throw damaged(segment, seq, position)
  }

  /** Reads the frame's header, and with it all of a small frame, or the first `bodyBytes` of a large one if they are few. */
  async #find(segment: Segment, file: File, seq: number, bodyBytes: number): Promise<FrameAt> {
    const place = await this.#placeOf(segment, file, seq)
    const frame = await this.#frameAt(segment, file, seq, place, bodyBytes)
    if (frame !== undefined) return frame
    const scanned = segment.isClosed ? await this.#scannedPlaceOf(segment, file, seq) : undefined
    const found = scanned === undefined ? undefined : await this.#frameAt(segment, file, seq, scanned, bodyBytes)
    if (found === undefined) throw damaged(segment, seq, place.start)
    return found
  }

  async #frameAt(segment: Segment, file: File, seq: number, place: Place, bodyBytes: number): Promise<FrameAt | undefined> {
    const whole = place.end - place.start
    if (place.end > segment.end || whole < FRAME_HEADER_BYTES) return undefined
    const isFew = FRAME_HEADER_BYTES + bodyBytes <= WHOLE_FRAME_BYTES_MAX
    const part = isFew ? FRAME_HEADER_BYTES + bodyBytes : FRAME_HEADER_BYTES
    const bytes = Buffer.allocUnsafeSlow(whole <= WHOLE_FRAME_BYTES_MAX ? whole : part)
    await readFully(file, bytes, place.start)
    const header = decodeFrameHeader(bytes, 0, segment.header.generation, segment.header.salt, this.#crc32c)
    if (header === undefined || header.seq !== seq || frameBytes(header.bodyBytes) !== whole) return undefined
    return { position: place.start, header, bytes }
  }

  async #placeOf(segment: Segment, file: File, seq: number): Promise<Place> {
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
  async #scannedPlaceOf(segment: Segment, file: File, seq: number): Promise<Place | undefined> {
    const { positions, end } = await scanSegment(
      file,
      segment.header,
      { seq: segment.first, previousChecksum: segment.previousChecksum },
      this.#crc32c,
    )
    const ordinal = seq - segment.first
    if (ordinal >= positions.count) return undefined
    this.#onWarning(`${segment.path}: its index is damaged; frames are found by reading the segment`)
    if (positions.count === segment.count) segment.positions = positions
    return { start: positions.at(ordinal), end: ordinal + 1 === positions.count ? end : positions.at(ordinal + 1) }
  }

  #check(segment: Segment, seq: number, frame: FrameAt, body: Buffer): void {
    if (this.#crc32c(body) !== frame.header.bodyChecksum) throw damaged(segment, seq, frame.position)
  }
}

function damaged(segment: Segment, seq: number, position: number): MillraceError {
  return corrupt(segment.path, `journal sequence ${seq}, at byte ${position}, fails its checksum`)
}
