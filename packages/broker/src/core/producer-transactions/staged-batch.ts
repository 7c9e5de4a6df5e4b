/** A batch that waits for the end of its transaction: one record of a record batch. Bytes: docs/formats/transactions.md. */
import { type RecordBatchBuilder, RecordReader } from '@millrace/wire'
import type { Place } from '../groups/place.ts'
import { ByteReader, ByteWriter } from '../state/bytes.ts'

const key = new ByteWriter()

/** @returns a view that is valid until the builder is used again */
export function stagedBatch(builder: RecordBatchBuilder, nowMs: number, place: Place, batch: Uint8Array): Uint8Array {
  key.clear()
  key.varint(place)
  builder.append(nowMs, key.view(), batch)
  return builder.finish()
}

/** @returns a view of the batch, and where it goes. @throws BatchFormatError, StateFormatError */
export function readStagedBatch(stored: Uint8Array): { readonly place: Place; readonly batch: Uint8Array } {
  const reader = new RecordReader(stored)
  reader.next()
  return { place: new ByteReader(reader.key!).varint(), batch: reader.value! }
}
