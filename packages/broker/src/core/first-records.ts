import { BATCH_HEADER_BYTES } from '@millrace/wire'
import type { Crc32c } from '../ports/checksum.ts'
import { RecordCopy, RecordSpans } from './record-copy.ts'

/** A batch of the first `count` records of another, which was checked and has more. */
export function firstRecords(batch: Uint8Array, count: number, crc32c: Crc32c): Uint8Array {
  const copy = new RecordCopy(batch, batch.length - BATCH_HEADER_BYTES)
  const spans = new RecordSpans(batch)
  while (copy.records < count && spans.next()) copy.add(spans)
  return copy.finish(crc32c)
}

/** A batch of the others, from the one at `position` on. */
export function recordsFrom(batch: Uint8Array, position: number, crc32c: Crc32c): Uint8Array {
  const copy = new RecordCopy(batch, batch.length - BATCH_HEADER_BYTES)
  const spans = new RecordSpans(batch)
  for (let n = 0; spans.next(); n++) if (n >= position) copy.add(spans)
  return copy.finish(crc32c)
}
