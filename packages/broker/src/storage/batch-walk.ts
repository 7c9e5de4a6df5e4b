import { BATCH_HEADER_BYTES, batchMaxTimestampMs, batchOffsets, batchProblem, batchSize } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { IndexEntry } from './index-entry.ts'

/** One record batch inside an index entry. */
export interface WalkedBatch {
  readonly base: number
  readonly offsets: number
  readonly timestampMs: number
  readonly bytes: Uint8Array
}

/**
 * The batches of an index entry.
 * @param stored the entry's bytes
 * @throws MillraceError `data_corrupt` when they do not match their checksums or the entry
 */
export function walkBatches(entry: IndexEntry, stored: Uint8Array, crc32c: Crc32c): WalkedBatch[] {
  const batches: WalkedBatch[] = []
  let at = 0
  let base = entry.base
  while (at < entry.length) {
    const rest = stored.subarray(at)
    const size = rest.length >= BATCH_HEADER_BYTES ? batchSize(rest) : 0
    const bytes = rest.subarray(0, Math.max(0, size))
    const problem = batchProblem(bytes, crc32c, true)
    if (problem !== undefined) throw damaged(entry, at, problem)
    batches.push({ base, offsets: batchOffsets(bytes), timestampMs: batchMaxTimestampMs(bytes), bytes })
    base += batchOffsets(bytes)
    at += size
  }
  if (at !== entry.length || base !== entry.base + entry.offsets)
    throw damaged(entry, 0, 'it holds other offsets than the index says')
  return batches
}

function damaged(entry: IndexEntry, at: number, problem: string): MillraceError {
  return new MillraceError(
    'data_corrupt',
    `The batch at byte ${entry.position + at} of commit ${entry.seq} is damaged: ${problem}. Restore the data from a copy.`,
  )
}
