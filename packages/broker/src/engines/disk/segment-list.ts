import { assert } from '../../base/assert.ts'
import type { PendingFrame } from './frame-writer.ts'
import { PositionList } from './position-list.ts'
import type { SegmentFiles } from './segment-files.ts'
import type { EmptySegment } from './segment-supply.ts'
import { Segment } from './segment.ts'
import { SequenceRanges } from './sequence-ranges.ts'

/** Makes an empty segment the one that follows `before`, open for writing. */
export async function adoptEmpty(empty: EmptySegment, before: Segment | undefined, files: SegmentFiles): Promise<Segment> {
  const segment = new Segment(empty.path, empty.header, before?.next ?? 0, before?.lastChecksum ?? 0, empty.filledEnd)
  segment.positions = new PositionList()
  files.adopt(segment, empty.file)
  await files.borrow(segment)
  return segment
}

/** The segments of the journal in sequence order, and which of their batches are still wanted. */
export class SegmentList {
  /** Never empty; the last one is being filled. Their generations rise, with gaps where segments were given back. */
  readonly #segments: Segment[]
  readonly #forgotten = new SequenceRanges()
  /** Every sequence below is known to be durable. With durability `fsync` that is all of them, and this is not kept up. */
  syncedNext: number

  constructor(segments: readonly Segment[]) {
    assert(segments.length > 0, 'a journal has a segment')
    this.#segments = [...segments]
    this.syncedNext = this.next
    let seq = 0
    for (const segment of segments) {
      this.#forgotten.add(seq, segment.first - 1, () => undefined)
      seq = segment.next
    }
  }

  get all(): readonly Segment[] {
    return this.#segments
  }

  get active(): Segment {
    return this.#segments.at(-1)!
  }

  get next(): number {
    return this.active.next
  }

  get firstKept(): number {
    return Math.min(this.#forgotten.lowestMissing(), this.next)
  }

  /** Whether a segment holds nothing that is wanted. */
  get hasForgotten(): boolean {
    return this.#segments.some((segment) => segment.kept === 0 && segment !== this.active)
  }

  /** Whether `unclosed` has any: segments are closed oldest first. */
  get hasUnclosed(): boolean {
    return this.#segments.length > 1 && !this.#segments.at(-2)!.isClosed
  }

  /** Segments that were filled and have no footer yet, oldest first. */
  get unclosed(): readonly Segment[] {
    return this.#segments.filter((segment) => !segment.isClosed && segment !== this.active)
  }

  /** The segment of a sequence that may be read. */
  holding(seq: number): Segment | undefined {
    if (seq < 0 || seq >= this.next || this.#forgotten.has(seq)) return undefined
    return this.#segments[this.#indexOf(seq)]
  }

  discard(first: number, last: number): void {
    this.#forgotten.add(first, last, (addedFirst, addedLast) => {
      for (let at = this.#indexOf(addedFirst); at < this.#segments.length; at++) {
        const segment = this.#segments[at]!
        if (segment.first > addedLast) break
        segment.kept -= Math.min(addedLast + 1, segment.next) - Math.max(addedFirst, segment.first)
      }
    })
  }

  /** A frame is durable: it can be read from now on. */
  appended(frame: PendingFrame): void {
    const segment = this.active
    segment.positions!.push(frame.position)
    segment.end = frame.end
    segment.bodyBytes += frame.bodyBytes
    segment.lastChecksum = frame.bodyChecksum
    segment.count++
    segment.kept++
  }

  async startSegment(empty: EmptySegment, files: SegmentFiles): Promise<void> {
    const before = this.active
    this.#segments.push(await adoptEmpty(empty, before, files))
    await files.giveBack(before)
  }

  remove(segment: Segment): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1)
  }

  /** Index of the last segment that starts at or before `seq`. */
  #indexOf(seq: number): number {
    let low = 0
    let high = this.#segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#segments[middle]!.first <= seq) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }
}
