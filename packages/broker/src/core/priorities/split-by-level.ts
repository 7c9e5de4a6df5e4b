// hot path (packages/broker/test/core/throughput.mjs)
import type { Crc32c } from '../../ports/checksum.ts'
import { RecordCopy, RecordSpans } from '../record-copy.ts'
import type { LevelScan } from './level-scan.ts'

/** What of a batch goes to one partition. */
export interface BatchPart {
  readonly partition: number
  readonly batch: Uint8Array
}

/** A batch for each level that its records have, in the order in which the levels come. @param scan of this batch */
export function splitByLevel(batch: Uint8Array, { levels }: LevelScan, crc32c: Crc32c): BatchPart[] {
  const bytes: number[] = []
  const used: number[] = []
  const sizes = new RecordSpans(batch)
  for (let position = 0; sizes.next(); position++) {
    const level = levels[position]!
    const before = bytes[level]
    if (before === undefined) used.push(level)
    bytes[level] = (before ?? 0) + sizes.end - sizes.start
  }
  const copies: RecordCopy[] = []
  for (const level of used) copies[level] = new RecordCopy(batch, bytes[level]!)
  const spans = new RecordSpans(batch)
  for (let position = 0; spans.next(); position++) copies[levels[position]!]!.add(spans)
  return used.map((level) => ({ partition: level, batch: copies[level]!.finish(crc32c) }))
}
