import { BATCH_HEADER_BYTES } from '@millrace/wire'
import type { Crc32c } from '../../ports/checksum.ts'
import { RecordCopy, RecordSpans } from '../record-copy.ts'

/**
 * A batch without some of its records.
 * @param batch well-formed, with as many offsets as records
 * @param leftOut positions of records, in order; not all of them
 */
export function batchWithout(batch: Uint8Array, leftOut: readonly number[], crc32c: Crc32c): Uint8Array {
  const copy = new RecordCopy(batch, batch.length - BATCH_HEADER_BYTES)
  const spans = new RecordSpans(batch)
  let skipped = 0
  for (let position = 0; spans.next(); position++) {
    if (leftOut[skipped] === position) skipped++
    else copy.add(spans)
  }
  return copy.finish(crc32c)
}
