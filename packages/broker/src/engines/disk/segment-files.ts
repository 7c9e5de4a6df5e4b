import type { File, FileSystem } from './file-system.ts'
import type { Segment } from './segment.ts'

/** Opens segment files when they are read, and keeps the number of open ones within a limit. */
export class SegmentFiles {
  readonly #fileSystem: FileSystem
  readonly #openMax: number
  /** Open segments, least recently used first. */
  readonly #open = new Set<Segment>()
  #onGivenBack: (() => void) | undefined
  readonly #opening = new Map<Segment, Promise<File>>()

  constructor(fileSystem: FileSystem, openMax: number) {
    this.#fileSystem = fileSystem
    this.#openMax = openMax
  }

  /** The segment's file, open until `giveBack`. */
  async borrow(segment: Segment): Promise<File> {
    segment.readers++
    try {
      const file = segment.file ?? (await this.#openOnce(segment))
      this.#open.delete(segment)
      this.#open.add(segment)
      return file
    } catch (error) {
      segment.readers--
      throw error
    }
  }

  async giveBack(segment: Segment): Promise<void> {
    segment.readers--
    this.#onGivenBack?.()
    if (this.#open.size > this.#openMax) await this.#closeLeastUsed()
  }

  /** Takes over a file that is open already. */
  adopt(segment: Segment, file: File): void {
    segment.file = file
    this.#open.add(segment)
  }

  /** Closes the file of a segment that nobody reads. */
  async release(segment: Segment): Promise<void> {
    this.#open.delete(segment)
    const { file } = segment
    segment.file = undefined
    await file?.close()
  }

  /** Waits for the reads under way. */
  async closeAll(): Promise<void> {
    await Promise.allSettled(this.#opening.values())
    const inUse = (): boolean => [...this.#open].some(({ readers }) => readers > 0)
    while (inUse()) await new Promise<void>((resolve) => (this.#onGivenBack = resolve))
    for (const segment of this.#open) await this.release(segment)
  }

  async #openOnce(segment: Segment): Promise<File> {
    let opening = this.#opening.get(segment)
    if (opening === undefined) {
      opening = this.#fileSystem.open(segment.path, false).finally(() => this.#opening.delete(segment))
      this.#opening.set(segment, opening)
    }
    const file = await opening
    segment.file = file
    return file
  }

  /** A segment that is being written has a reader: the journal itself. */
  async #closeLeastUsed(): Promise<void> {
    for (const segment of this.#open) {
      if (segment.readers > 0) continue
      await this.release(segment)
      if (this.#open.size <= this.#openMax) return
    }
  }
}
