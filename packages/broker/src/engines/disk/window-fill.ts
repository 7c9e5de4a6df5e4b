/**
 * Writes zeros ahead of the frames, so that a small append overwrites space that is allocated already: its fdatasync then has no
 * metadata to write (half the latency), and that space is certainly there when the disk is full.
 */
import { KIB, MIB } from '../../base/units.ts'
import { BLOCK_BYTES, isNoSpace, type AppendFile, type FileSystem } from './file-system.ts'
import type { Segment } from './segment.ts'
import { noSpace } from './whole-transfers.ts'

const AHEAD_LOW_BYTES: number = 512 * KIB
const AHEAD_HIGH_BYTES: number = 2 * MIB
const PIECE_BYTES: number = 256 * KIB

export class WindowFill {
  readonly #fileSystem: FileSystem
  readonly #onFilled: (bytes: number) => void
  readonly #onFailed: (error: unknown) => void
  /** Made on first use. */
  #zeros: Uint8Array | undefined
  #running: Promise<void> | undefined
  #isDiskFull = false

  constructor(fileSystem: FileSystem, onFilled: (bytes: number) => void, onFailed: (error: unknown) => void) {
    this.#fileSystem = fileSystem
    this.#onFilled = onFilled
    this.#onFailed = onFailed
  }

  /** Settles when nothing is being written: an append that reaches beyond `segment.filledEnd` waits for it. */
  get idle(): Promise<void> | undefined {
    return this.#running
  }

  /** Starts filling if less than the low mark is filled ahead. */
  keepAhead(segment: Segment): void {
    const limit = segment.framesEndMax - (segment.framesEndMax % BLOCK_BYTES)
    if (this.#running !== undefined || this.#isDiskFull || segment.filledEnd >= limit) return
    if (segment.filledEnd - segment.end >= AHEAD_LOW_BYTES) return
    const to = Math.min(segment.filledEnd + AHEAD_HIGH_BYTES - AHEAD_LOW_BYTES, limit)
    this.#running = this.#fill(segment, to).finally(() => (this.#running = undefined))
  }

  /** There may be space again. */
  retry(): void {
    this.#isDiskFull = false
  }

  async #fill(segment: Segment, to: number): Promise<void> {
    try {
      const file = await this.#fileSystem.openForAppend(segment.path, 'fsync')
      try {
        await this.#writeZeros(file, segment, to)
      } finally {
        await file.close()
      }
    } catch (error) {
      if (isNoSpace(error)) this.#isDiskFull = true
      else this.#onFailed(error)
    }
  }

  async #writeZeros(file: AppendFile, segment: Segment, to: number): Promise<void> {
    const zeros = (this.#zeros ??= this.#fileSystem.allocateBlocks(PIECE_BYTES))
    while (segment.filledEnd < to) {
      const written = await file.append(zeros.subarray(0, Math.min(zeros.length, to - segment.filledEnd)), segment.filledEnd)
      const bytes = written - (written % BLOCK_BYTES)
      if (bytes === 0) throw noSpace()
      segment.filledEnd += bytes
      this.#onFilled(bytes)
    }
  }
}
