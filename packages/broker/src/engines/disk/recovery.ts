/**
 * Finds out what a data directory holds (docs/formats/journal.md, "Recovery"). Only a segment without a footer is read through:
 * the one that was being filled, and at times the one before it. Changes nothing.
 */
import { join } from 'node:path'
import type { Crc32c } from '../../ports/checksum.ts'
import type { FileSystem } from './file-system.ts'
import { isFreed } from './freed-generations.ts'
import type { ManifestFacts } from './manifest.ts'
import { segmentName } from './segment-format.ts'
import type { ScanStart } from './segment-scan.ts'
import type { Segment } from './segment.ts'
import { corrupt, loadSegment, type StoredSegment } from './stored-segment.ts'

export interface RecoveredSegments {
  /** In order. The last one is to be filled on, if `isLastUsable`; otherwise a new one must follow it. */
  readonly segments: readonly Segment[]
  readonly isLastUsable: boolean
  /** Empty segments after those, in order. */
  readonly empty: readonly Segment[]
  /** Segments that follow a place which durability `os` lost. */
  readonly dropped: readonly Segment[]
  readonly lastEpoch: number
}

/**
 * @param generations of the segment files that were not given back, rising
 * @throws MillraceError `data_corrupt`, `data_unusable`
 */
export async function recoverSegments(
  directory: string,
  generations: readonly number[],
  facts: ManifestFacts,
  fileSystem: FileSystem,
  crc32c: Crc32c,
): Promise<RecoveredSegments> {
  checkNoneIsMissing(directory, generations, facts)
  const chain: StoredSegment[] = []
  const dropped: Segment[] = []
  for (const generation of generations) {
    const before = chain.at(-1)
    const path = join(directory, segmentName(generation))
    const expected = { start: startAfter(before), cleanNext: facts.endedCleanly === true ? facts.durableNext : undefined }
    const stored = await loadSegment(fileSystem, path, generation, expected, crc32c)
    if (dropped.length > 0 || !follows(stored, before)) {
      checkMayBeDropped(stored, before)
      dropped.push(stored.segment)
    } else {
      chain.push(stored)
    }
  }
  const recovered = arrange(chain, dropped)
  const next = recovered.segments.at(-1)?.next ?? 0
  if (next < facts.durableNext) {
    const where = recovered.segments.at(-1)?.path ?? directory
    throw corrupt(where, `the journal ends before sequence ${next}, but it had ${facts.durableNext} batches`)
  }
  return recovered
}

function checkNoneIsMissing(directory: string, generations: readonly number[], facts: ManifestFacts): void {
  let expected = 1
  for (const generation of generations) {
    for (; expected < generation; expected++) {
      if (!isFreed(facts.freed, expected)) throw corrupt(join(directory, segmentName(expected)), 'it is missing')
    }
    expected = generation + 1
  }
  if (generations.length === 0 && (facts.durableNext > 0 || facts.freed.length > 0)) {
    throw corrupt(directory, 'its segment files are missing')
  }
}

/** Where the segment starts if it has no frames: one that holds the last frame is never given back before a later one holds any. */
function startAfter(before: StoredSegment | undefined): ScanStart {
  return { seq: before?.segment.next ?? 0, previousChecksum: before?.segment.lastChecksum ?? 0 }
}

function follows({ segment }: StoredSegment, before: StoredSegment | undefined): boolean {
  const start = startAfter(before)
  const isAdjacent = segment.header.generation === (before?.segment.header.generation ?? 0) + 1
  if (!isAdjacent) return segment.first >= start.seq
  return segment.first === start.seq && segment.previousChecksum === start.previousChecksum
}

/**
 * With durability `os` a machine that stops may lose the end of one segment and keep frames of the next. Those say that the
 * lost ones were perhaps not durable; everything from the gap on is dropped.
 */
function checkMayBeDropped(stored: StoredSegment, before: StoredSegment | undefined): void {
  const { segment, firstUnsynced, tail } = stored
  if (segment.count === 0 && tail !== 'closed') return
  const lostFrom = startAfter(before).seq
  const isExplained = tail !== 'closed' && before?.tail !== 'closed' && segment.first > lostFrom
  if (isExplained && segment.first - firstUnsynced <= lostFrom) return
  throw corrupt(
    segment.path,
    `it starts with journal sequence ${segment.first}, but the segment before it ends before ${lostFrom}`,
  )
}

function arrange(chain: readonly StoredSegment[], dropped: readonly Segment[]): RecoveredSegments {
  const lastTouched = chain.findLastIndex(({ segment, tail }) => segment.count > 0 || tail !== 'clean')
  const touched = chain[lastTouched]
  const isTouchedUsable = touched?.tail === 'clean' && dropped.length === 0
  // After a torn write the rest of the segment is not used: what is left in it can never be taken for something new.
  const last = isTouchedUsable ? lastTouched : Math.min(lastTouched + 1, chain.length - 1)
  if (touched?.tail === 'closed' && last === lastTouched) throw corrupt(touched.segment.path, 'the segment after it is missing')
  const segments = chain.slice(0, last + 1).map(({ segment }) => segment)
  return {
    segments,
    isLastUsable: isTouchedUsable || last > lastTouched,
    empty: chain.slice(last + 1).map(({ segment }) => segment),
    dropped,
    lastEpoch: Math.max(0, ...chain.map(({ lastEpoch }) => lastEpoch)),
  }
}
