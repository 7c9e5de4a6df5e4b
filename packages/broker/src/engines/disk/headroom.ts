import type { Clock } from '../../ports/platform.ts'
import type { FileSystem } from './file-system.ts'
import { FRAMES_START } from './segment-format.ts'
import type { SegmentSupply } from './segment-supply.ts'
import type { Segment } from './segment.ts'

const REFRESH_MS = 1_000

/** How much can certainly be appended: space that is allocated, and what the file system has left above a reserve. */
export class Headroom {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #clock: Clock
  readonly #reserveBytes: number
  readonly #refreshBytes: number
  readonly #onFailed: (error: unknown) => void
  #availableBytes = 0
  #takenBytes = 0
  #askedAtMs = 0
  #asking: Promise<void> | undefined

  constructor(
    fileSystem: FileSystem,
    directory: string,
    clock: Clock,
    limits: { readonly reserveBytes: number; readonly refreshBytes: number },
    onFailed: (error: unknown) => void,
  ) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#clock = clock
    this.#reserveBytes = limits.reserveBytes
    this.#refreshBytes = limits.refreshBytes
    this.#onFailed = onFailed
  }

  bytes(active: Segment, supply: SegmentSupply): number {
    if (this.#clock.monotonicMs() - this.#askedAtMs >= REFRESH_MS) void this.refresh()
    const filled = Math.max(0, Math.min(active.filledEnd, active.framesEndMax) - active.end)
    const free = Math.max(0, this.#availableBytes - this.#takenBytes - this.#reserveBytes)
    return filled + supply.certainBytes + Math.floor(free * framesShare(active.header.segmentBytes))
  }

  /** `bytes` of the file system were allocated by this journal. */
  took(bytes: number): void {
    this.#takenBytes += bytes
    if (this.#takenBytes >= this.#refreshBytes) void this.refresh()
  }

  /** A write found no space. */
  ranOut(): void {
    this.#availableBytes = 0
    this.#askedAtMs = this.#clock.monotonicMs()
  }

  /** Asks the file system. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined))
    return this.#asking
  }

  async #ask(): Promise<void> {
    this.#askedAtMs = this.#clock.monotonicMs()
    this.#takenBytes = 0
    try {
      this.#availableBytes = await this.#fileSystem.availableBytes(this.#directory)
    } catch (error) {
      this.#availableBytes = 0
      this.#onFailed(error)
    }
  }
}

/** How much of a segment frames can take: not its header, and not the page of its footer. */
function framesShare(segmentBytes: number): number {
  return (segmentBytes - 2 * FRAMES_START) / segmentBytes
}
