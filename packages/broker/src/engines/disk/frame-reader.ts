/** Reads frames of segments: neighbours with one read of the file, and a part deep inside a large one with two at once. */
// hot path
import { KIB, MIB } from '../../base/units.ts'
import type { Lease } from '../../base/lease.ts'
import type { Crc32c } from '../../ports/checksum.ts'
import type { JournalPart } from '../../ports/journal.ts'
import type { File } from './file-system.ts'
import { damaged, FrameFinder, isPossible, type Place } from './frame-finder.ts'
import { endMarker, FRAME_HEADER_BYTES, type FrameHeader } from './frame.ts'
import type { IndexPages } from './index-pages.ts'
import type { ReadBlocks } from './read-blocks.ts'
import { RecentHeaders } from './recent-headers.ts'
import { type Piece, Stretches } from './stretches.ts'
import type { Segment } from './segment.ts'
import { readFully } from './whole-transfers.ts'

/** Frames up to this size are read and checked as a whole, whatever part of them is asked for. */
const WHOLE_FRAME_BYTES_MAX: number = 32 * KIB
const VERIFY_PIECE_BYTES: number = MIB

/** What is read for a part that is asked for. */
interface Wanted {
  readonly part: JournalPart
  readonly place: Place
  readonly header: Piece | FrameHeader
  /** Of the body; of a small frame, all of it and what follows it. */
  readonly body: Piece
  readonly isWhole: boolean
}

export class FrameReader {
  readonly #finder: FrameFinder
  readonly #crc32c: Crc32c
  readonly #blocks: ReadBlocks
  readonly #headers = new RecentHeaders()

  constructor(indexPages: IndexPages, crc32c: Crc32c, onWarning: (message: string) => void, blocks: ReadBlocks) {
    this.#finder = new FrameFinder(indexPages, crc32c, onWarning)
    this.#crc32c = crc32c
    this.#blocks = blocks
  }

  async length(segment: Segment, file: File, seq: number): Promise<number> {
    const { header } = await this.#finder.find(segment, file, seq)
    return header.bodyBytes
  }

  /** What comes back keeps nothing else in memory. */
  async read(segment: Segment, file: File, part: JournalPart): Promise<Uint8Array> {
    const [bytes] = await this.readParts(segment, file, [part])
    return 2 * bytes!.length >= bytes!.buffer.byteLength ? bytes! : Buffer.from(bytes!)
  }

  /** Checks small frames, and every body that is read as a whole. A part of a large body is for the caller to check. */
  async readParts(segment: Segment, file: File, parts: readonly JournalPart[], lease?: Lease): Promise<readonly Uint8Array[]> {
    const places: (Place | undefined)[] = []
    for (const { seq } of parts) {
      const place = await this.#finder.placeOf(segment, file, seq)
      places.push(isPossible(segment, place) ? place : undefined)
    }
    const stretches = new Stretches()
    const wanted: (Wanted | undefined)[] = []
    for (let n = 0; n < parts.length; n++) {
      const place = places[n]
      wanted.push(place === undefined ? undefined : this.#plan(stretches, parts[n]!, place, wanted[n - 1]))
    }
    await stretches.read(file, this.#blocks, lease)
    const found: Uint8Array[] = []
    for (let n = 0; n < parts.length; n++) {
      const bytes = wanted[n] === undefined ? undefined : this.#found(segment, wanted[n]!)
      found.push(bytes ?? (await this.#readScanned(segment, file, parts[n]!)))
    }
    return found
  }

  async verify(segment: Segment, file: File, seq: number): Promise<void> {
    const { position, header } = await this.#finder.find(segment, file, seq)
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

  #plan(stretches: Stretches, part: JournalPart, place: Place, before: Wanted | undefined): Wanted {
    const { start, end } = place
    const bodyStart = start + FRAME_HEADER_BYTES
    const isWhole = end - start <= WHOLE_FRAME_BYTES_MAX
    const known = before?.part.seq === part.seq ? before.header : isWhole ? undefined : this.#headers.find(part.seq, place)
    const header = known ?? stretches.add(start, bodyStart)
    if (isWhole) return { part, place, header, body: stretches.add(bodyStart, end), isWhole }
    const from = Math.min(bodyStart + part.from, end)
    const to = Math.min(from + part.length, end)
    return { part, place, header, body: stretches.add(from, to), isWhole }
  }

  /** @returns undefined if the frame is not in its place */
  #found(segment: Segment, { part, place, header, body, isWhole }: Wanted): Uint8Array | undefined {
    const { seq, from, length } = part
    const isKnown = !('bytes' in header)
    const facts = isKnown ? header : this.#finder.header(segment, seq, place, header.bytes)
    if (facts === undefined) return undefined
    if (!isKnown && !isWhole) this.#headers.keep(place, facts)
    const to = Math.min(from + length, facts.bodyBytes)
    if (isWhole) this.#check(segment, seq, place, facts, body.bytes.subarray(0, facts.bodyBytes))
    if (from >= to) return new Uint8Array(0)
    const at = isWhole ? from : 0
    const bytes = body.bytes.subarray(at, at + to - from)
    if (!isWhole && bytes.length === facts.bodyBytes) this.#check(segment, seq, place, facts, bytes)
    return bytes
  }

  async #readScanned(segment: Segment, file: File, part: JournalPart): Promise<Uint8Array> {
    const place = await this.#finder.scannedPlaceOf(segment, file, part.seq)
    if (place === undefined) throw damaged(segment, part.seq, (await this.#finder.placeOf(segment, file, part.seq)).start)
    const stretches = new Stretches()
    const wanted = this.#plan(stretches, part, place, undefined)
    await stretches.read(file, this.#blocks)
    const bytes = this.#found(segment, wanted)
    if (bytes === undefined) throw damaged(segment, part.seq, place.start)
    return bytes
  }

  #check(segment: Segment, seq: number, { start }: Place, header: FrameHeader, body: Buffer): void {
    if (this.#crc32c(body) !== header.bodyChecksum) throw damaged(segment, seq, start)
  }
}
