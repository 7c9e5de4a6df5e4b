/** Puts one frame at the end of a segment. */
// hot path (bench/src: append latency)
import { assert } from '../../base/assert.ts'
import { KIB } from '../../base/units.ts'
import type { Crc32c } from '../../ports/checksum.ts'
import { isNoSpace, type File } from './file-system.ts'
import { aligned, encodeFrameHeader, endMarker, FRAME_ALIGNMENT, FRAME_HEADER_BYTES, frameBytes } from './frame.ts'
import type { Segment } from './segment.ts'
import { withoutFirst } from './whole-transfers.ts'

/** Smaller writes are done at once: a call into the page cache takes 2 us, a trip through the thread pool 15. */
const SYNC_WRITE_BYTES_MAX: number = 64 * KIB
/** Each write ends on this boundary, with zeros: no page is half old, so none has to be read from the disk first. */
const PAGE_BYTES: number = 4 * KIB

/** A frame that is being written. */
export interface PendingFrame {
  readonly position: number
  readonly bodyBytes: number
  readonly bodyChecksum: number
  readonly parts: readonly Uint8Array[]
  /** One past the frame. */
  readonly end: number
  /** One past the zeros that follow it. */
  readonly writeEnd: number
}

export class FrameWriter {
  readonly #epoch: number
  readonly #crc32c: Crc32c
  readonly #header: Buffer = Buffer.alloc(FRAME_HEADER_BYTES)
  /** End marker, then zeros for the alignment and up to the page. */
  readonly #trailer: Buffer = Buffer.alloc(4 + FRAME_ALIGNMENT + PAGE_BYTES)
  readonly #joined: Buffer = Buffer.allocUnsafeSlow(SYNC_WRITE_BYTES_MAX)

  constructor(epoch: number, crc32c: Crc32c) {
    this.#epoch = epoch
    this.#crc32c = crc32c
  }

  /** The frame uses buffers of the writer until the next `begin`. */
  begin(segment: Segment, seq: number, batch: readonly Uint8Array[], bodyBytes: number, unsynced: number): PendingFrame {
    const { generation, salt, segmentBytes } = segment.header
    let bodyChecksum = 0
    for (const part of batch) bodyChecksum = this.#crc32c(part, bodyChecksum)
    const previousChecksum = segment.lastChecksum
    const fields = { bodyBytes, epoch: this.#epoch, seq, previousChecksum, bodyChecksum, unsynced }
    const headerChecksum = encodeFrameHeader(this.#header, generation, salt, fields, this.#crc32c)
    this.#trailer.writeUInt32LE(endMarker(headerChecksum), 0)
    const position = segment.end
    const end = position + frameBytes(bodyBytes)
    const writeEnd = Math.min(aligned(end, PAGE_BYTES), segmentBytes)
    assert(end <= segment.framesEndMax, `frame up to ${end} in a segment that has room up to ${segment.framesEndMax}`)
    const trailer = this.#trailer.subarray(0, writeEnd - position - FRAME_HEADER_BYTES - bodyBytes)
    return { position, bodyBytes, bodyChecksum, parts: [this.#header, ...batch, trailer], end, writeEnd }
  }

  /** @returns false when there is no room: then nothing that could pass for the frame is in the file */
  async write(segment: Segment, frame: PendingFrame): Promise<boolean> {
    const file = segment.file!
    const bytes = frame.writeEnd - frame.position
    const isSmall = bytes <= SYNC_WRITE_BYTES_MAX
    const written = isSmall
      ? writeNowUntilFull(file, join(frame.parts, this.#joined), frame.position)
      : await writeUntilFull(file, frame.parts, frame.position)
    // The zeros after the frame may be missing.
    if (frame.position + written >= frame.end) return true
    if (written > 0) wipe(file, frame.position, written)
    return false
  }
}

/**
 * Overwrites the start of a frame of which only a part found room, so that after a restart it does not look like a torn write,
 * which would cost the rest of the segment. It is no valid frame in any case.
 */
function wipe(file: File, position: number, bytes: number): void {
  writeNowUntilFull(file, Buffer.alloc(Math.min(bytes, FRAME_HEADER_BYTES)), position)
}

function join(parts: readonly Uint8Array[], into: Buffer): Buffer {
  let at = 0
  for (const part of parts) {
    into.set(part, at)
    at += part.length
  }
  return into.subarray(0, at)
}

function writeNowUntilFull(file: File, bytes: Buffer, position: number): number {
  let at = 0
  try {
    while (at < bytes.length) {
      const written = file.writeNow(at === 0 ? bytes : bytes.subarray(at), position + at)
      if (written === 0) break
      at += written
    }
  } catch (error) {
    if (!isNoSpace(error)) throw error
  }
  return at
}

async function writeUntilFull(file: File, parts: readonly Uint8Array[], position: number): Promise<number> {
  let rest = parts
  let at = 0
  try {
    while (rest.length > 0) {
      const written = await file.write(rest, position + at)
      if (written === 0) break
      at += written
      rest = withoutFirst(rest, written)
    }
  } catch (error) {
    if (!isNoSpace(error)) throw error
  }
  return at
}
