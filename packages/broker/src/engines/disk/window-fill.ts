/**
 * Writes zeros ahead of the frames, so that a small append overwrites space that is allocated already: its fdatasync then has no
 * metadata to write (half the latency), and that space is certainly there when the disk is full.
 */
import { KIB, MIB } from '../../base/units.ts'
import { isNoSpace, type File, type FileSystem } from './file-system.ts'
import type { Segment } from './segment.ts'
import { writeFully } from './whole-transfers.ts'

const AHEAD_LOW_BYTES: number = 512 * KIB
const AHEAD_HIGH_BYTES: number = 2 * MIB
const ZEROS: Buffer = Buffer.alloc(256 * KIB)

export class WindowFill {
  readonly #fileSystem: FileSystem
  readonly #onFilled: (bytes: number) => void
  readonly #onFailed: (error: unknown) => void
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
    const limit = segment.framesEndMax
    if (this.#running !== undefined || this.#isDiskFull || segment.filledEnd >= limit) return
    if (segment.filledEnd - segment.end >= AHEAD_LOW_BYTES) return
    const to = Math.min(segment.end + AHEAD_HIGH_BYTES, limit)
    this.#running = this.#fill(segment, to).finally(() => (this.#running = undefined))
  }

  /** There may be space again. */
  retry(): void {
    this.#isDiskFull = false
  }

  async #fill(segment: Segment, to: number): Promise<void> {
    try {
      // A descriptor of its own: the kernel reports a failed write-back once per descriptor, and the appends must hear of it.
      const file = await this.#fileSystem.open(segment.path, false)
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

  async #writeZeros(file: File, segment: Segment, to: number): Promise<void> {
    while (segment.filledEnd < to) {
      const from = segment.filledEnd
      const bytes = Math.min(ZEROS.length, to - from)
      await writeFully(file, [ZEROS.subarray(0, bytes)], from)
      await file.sync()
      segment.filledEnd = from + bytes
      this.#onFilled(bytes)
    }
  }
}
