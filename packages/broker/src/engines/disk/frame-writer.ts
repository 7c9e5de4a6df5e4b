/** Puts frames at the end of a segment. */
// hot path (bench/src: append latency)
import { assert } from '../../base/assert.ts'
import type { Crc32c } from '../../ports/checksum.ts'
import { BLOCK_BYTES, isNoSpace, type AppendFile, type Durability, type FileSystem } from './file-system.ts'
import { aligned, encodeFrameHeader, endMarker, FRAME_ALIGNMENT, FRAME_HEADER_BYTES, frameBytes } from './frame.ts'
import type { Segment } from './segment.ts'
import { readFully } from './whole-transfers.ts'

export interface FrameWriterOptions {
  readonly fileSystem: FileSystem
  readonly durability: Durability
  readonly batchBytesMax: number
  readonly crc32c: Crc32c
  readonly epoch: number
}

/** What a frame is to hold. */
export interface FrameBody {
  readonly parts: readonly Uint8Array[]
  /** Of all parts. */
  readonly bytes: number
  /** Of all bytes, if it is known. */
  readonly checksum: number | undefined
}

/** A frame that is being written. */
export interface PendingFrame {
  readonly position: number
  readonly bodyBytes: number
  readonly bodyChecksum: number
  /** One past the frame. */
  readonly end: number
  /** One past the zeros that follow it, up to the block. */
  readonly writeEnd: number
}

/**
 * Frames are put together in memory that begins with the block in which the segment ends, so that whole blocks are written: that
 * lets them bypass the page cache, and no block has to be read first. What was in that block before is written again as it was.
 */
export class FrameWriter {
  readonly #options: FrameWriterOptions
  readonly #blocks: Buffer
  #file: AppendFile | undefined
  /** How much of the first block is there already. */
  #keptBytes = 0

  constructor(options: FrameWriterOptions) {
    this.#options = options
    const bytes = aligned(FRAME_HEADER_BYTES + options.batchBytesMax + FRAME_ALIGNMENT, BLOCK_BYTES) + 2 * BLOCK_BYTES
    const memory = options.fileSystem.allocateBlocks(bytes)
    this.#blocks = Buffer.from(memory.buffer, memory.byteOffset, memory.length)
  }

  /** Goes on at the end of `segment`, whose file is open. */
  async moveTo(segment: Segment): Promise<void> {
    const { fileSystem, durability } = this.#options
    const before = this.#file
    this.#file = await fileSystem.openForAppend(segment.path, durability)
    await before?.close()
    this.#keptBytes = segment.end % BLOCK_BYTES
    if (this.#keptBytes > 0) {
      await readFully(segment.file!, this.#blocks.subarray(0, this.#keptBytes), segment.end - this.#keptBytes)
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
  }

  /** Lays the frame out; `write` puts it into the file. */
  begin(segment: Segment, seq: number, body: FrameBody, unsynced: number): PendingFrame {
    const { parts, bytes: bodyBytes } = body
    const { generation, salt, segmentBytes } = segment.header
    const { crc32c, epoch } = this.#options
    const blocks = this.#blocks
    const position = segment.end
    const end = position + frameBytes(bodyBytes)
    const writeEnd = Math.min(aligned(end, BLOCK_BYTES), segmentBytes)
    assert(position % BLOCK_BYTES === this.#keptBytes, 'the writer is at the end of the segment')
    assert(end <= segment.framesEndMax, 'the end of a frame, within the room of its segment', end, segment.framesEndMax)

    const bodyAt = this.#keptBytes + FRAME_HEADER_BYTES
    let at = bodyAt
    for (const part of parts) {
      blocks.set(part, at)
      at += part.length
    }
    const bodyChecksum = body.checksum ?? crc32c(blocks.subarray(bodyAt, at))
    const fields = { bodyBytes, epoch, seq, previousChecksum: segment.lastChecksum, bodyChecksum, unsynced }
    const header = blocks.subarray(this.#keptBytes, bodyAt)
    const headerChecksum = encodeFrameHeader(header, generation, salt, fields, crc32c)
    blocks.writeUInt32LE(endMarker(headerChecksum), at)
    blocks.fill(0, at + 4, this.#keptBytes + writeEnd - position)
    return { position, bodyBytes, bodyChecksum, end, writeEnd }
  }

  /** @returns false when there is no room: then nothing that could pass for the frame is in the file */
  async write(frame: PendingFrame): Promise<boolean> {
    const kept = this.#keptBytes
    const blocks = this.#blocks.subarray(0, kept + frame.writeEnd - frame.position)
    const written = (await this.#writeUntilFull(blocks, frame.position - kept)) - kept
    // The zeros after the frame may be missing.
    if (frame.position + written >= frame.end) {
      this.#keepLastBlock(frame)
      return true
    }
    await this.#wipe(frame)
    return false
  }

  #keepLastBlock(frame: PendingFrame): void {
    const endAt = this.#keptBytes + frame.end - frame.position
    this.#keptBytes = frame.end % BLOCK_BYTES
    this.#blocks.copyWithin(0, endAt - this.#keptBytes, endAt)
  }

  /**
   * Overwrites the start of a frame that found no room, or room for a part, so that after a restart it does not look like a torn
   * write, which would cost the rest of the segment. A block that is not there cannot be overwritten, and has nothing in it.
   */
  async #wipe(frame: PendingFrame): Promise<void> {
    this.#blocks.fill(0, this.#keptBytes, BLOCK_BYTES)
    await this.#writeUntilFull(this.#blocks.subarray(0, BLOCK_BYTES), frame.position - this.#keptBytes)
  }

  async #writeUntilFull(blocks: Uint8Array, position: number): Promise<number> {
    let at = 0
    try {
      while (at < blocks.length) {
        const written = await this.#file!.append(at === 0 ? blocks : blocks.subarray(at), position + at)
        if (written === 0) break
        at += written
      }
    } catch (error) {
      if (!isNoSpace(error)) throw error
    }
    return at
  }
}
