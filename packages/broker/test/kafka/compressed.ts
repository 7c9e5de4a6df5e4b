import { BATCH_HEADER_BYTES, crc32c } from '@millrace/wire'

/** A batch with its records compressed. @param compression its number in the attributes */
export function compressed(batch: Uint8Array, compression: number, compress: (records: Uint8Array) => Uint8Array): Uint8Array {
  const records = compress(batch.subarray(BATCH_HEADER_BYTES))
  const result = new Uint8Array(BATCH_HEADER_BYTES + records.length)
  result.set(batch.subarray(0, BATCH_HEADER_BYTES))
  result.set(records, BATCH_HEADER_BYTES)
  const view = new DataView(result.buffer)
  view.setInt32(8, result.length - 12)
  result[22] = (batch[22]! & ~7) | compression
  view.setUint32(17, crc32c(result.subarray(21)))
  return result
}
