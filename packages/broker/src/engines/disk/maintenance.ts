/** What the journal does beside appending, one thing at a time: prepare the next segment, close full ones, give back forgotten ones. */
import type { Crc32c } from '../../ports/checksum.ts'
import { closeSegment } from './close-segment.ts'
import { isNoSpace, type Durability } from './file-system.ts'
import { withFreed } from './freed-generations.ts'
import type { Headroom } from './headroom.ts'
import type { Manifest } from './manifest.ts'
import type { SegmentFiles } from './segment-files.ts'
import type { SegmentList } from './segment-list.ts'
import { indexStart } from './segment-format.ts'
import type { EmptySegment, SegmentSupply } from './segment-supply.ts'
import type { Segment } from './segment.ts'
import type { WindowFill } from './window-fill.ts'

export interface MaintenanceParts {
  readonly crc32c: Crc32c
  readonly durability: Durability
  readonly manifest: Manifest
  readonly segments: SegmentList
  readonly files: SegmentFiles
  readonly supply: SegmentSupply
  readonly headroom: Headroom
}

export class Maintenance {
  readonly #parts: MaintenanceParts
  readonly #fill: WindowFill
  readonly #onFailed: (error: unknown) => void
  #running: Promise<void> = Promise.resolve()
  #requested: Promise<void> | undefined
  #isStopped = false

  constructor(parts: MaintenanceParts, fill: WindowFill, onFailed: (error: unknown) => void) {
    this.#parts = parts
    this.#fill = fill
    this.#onFailed = onFailed
  }

  /** Whether an append made something due. Cheap. */
  get isDue(): boolean {
    const { segments, supply } = this.#parts
    return segments.hasUnclosed || (isHalfFull(segments.active) && !supply.isPrepared)
  }

  /** Does all that is due. Settles when that is done; never rejects. */
  request(): Promise<void> {
    this.#requested ??= this.#running.then(() => {
      this.#requested = undefined
      this.#running = this.#run()
      return this.#running
    })
    return this.#requested
  }

  /** @returns undefined when there is no space for another segment */
  async takeSegment(): Promise<EmptySegment | undefined> {
    try {
      return await this.#parts.supply.take()
    } catch (error) {
      if (isNoSpace(error)) return undefined
      throw error
    }
  }

  /** Nothing is written any more. */
  stop(): void {
    this.#isStopped = true
  }

  async finish(): Promise<void> {
    await this.#requested
    await this.#running
  }

  async #run(): Promise<void> {
    await this.#attempt(() => this.#prepareNext())
    await this.#attempt(() => this.#closeFull())
    await this.#attempt(() => this.#giveBackForgotten())
  }

  /** Lack of space is no failure: the same is due again after the next append or discard. */
  async #attempt(task: () => Promise<void>): Promise<void> {
    if (this.#isStopped) return
    try {
      await task()
    } catch (error) {
      if (!isNoSpace(error)) this.#onFailed(error)
    }
  }

  async #prepareNext(): Promise<void> {
    if (isHalfFull(this.#parts.segments.active)) await this.#parts.supply.prepare()
  }

  /** Oldest first, so that a segment without a footer never stands before one that was closed. */
  async #closeFull(): Promise<void> {
    const { segments, files, crc32c, durability, headroom } = this.#parts
    for (const segment of segments.unclosed) {
      // Its zeros must not overtake the index.
      await this.#fill.idle
      const file = await files.borrow(segment)
      try {
        if (durability === 'os') await file.sync()
        await closeSegment(segment, file, crc32c)
        segments.syncedNext = segment.next
        headroom.took(segment.header.segmentBytes - indexStart(segment.header.segmentBytes, segment.count))
      } finally {
        await files.giveBack(segment)
      }
    }
  }

  async #giveBackForgotten(): Promise<void> {
    const { segments, files, manifest, supply, headroom, durability } = this.#parts
    const { freed, chosen } = this.#chooseForgotten()
    if (chosen.length === 0) return
    const durableNext = segments.next
    if (durability === 'os') await this.#syncOpen()
    await manifest.write({ ...manifest.facts, durableNext, freed })
    for (const segment of chosen) {
      segments.remove(segment)
      await files.release(segment)
      await supply.recycle(segment.path, segment.header.generation, segment.header.segmentBytes, segment.filledEnd)
    }
    this.#fill.retry()
    await headroom.refresh()
  }

  /** With durability `os`: what the journal goes on with must be on the disk before the frames that led to it are given back. */
  async #syncOpen(): Promise<void> {
    const { segments, files } = this.#parts
    for (const segment of [...segments.unclosed, segments.active]) {
      const file = await files.borrow(segment)
      try {
        await file.sync()
      } finally {
        await files.giveBack(segment)
      }
    }
  }

  /**
   * A segment stays while it is read, while no later one has a frame (the next sequence would be lost), and while the one before
   * it has no footer (where that ends is known from this one).
   */
  #chooseForgotten(): { freed: Manifest['facts']['freed']; chosen: Segment[] } {
    const { all } = this.#parts.segments
    let { freed } = this.#parts.manifest.facts
    const chosen: Segment[] = []
    const lastFilled = all.findLastIndex((segment) => segment.count > 0)
    for (let at = 0; at < lastFilled; at++) {
      const segment = all[at]!
      const isEndBeforeKnown = at === 0 || all[at - 1]!.isClosed
      if (segment.kept > 0 || segment.readers > 0 || !isEndBeforeKnown) continue
      const more = withFreed(freed, segment.header.generation)
      if (more === undefined) continue
      freed = more
      chosen.push(segment)
    }
    return { freed, chosen }
  }
}

function isHalfFull(segment: Segment): boolean {
  return segment.end * 2 > segment.header.segmentBytes
}
