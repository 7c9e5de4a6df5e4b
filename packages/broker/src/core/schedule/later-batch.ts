import {
  batchAttributes,
  BATCH_HAS_EXPIRY,
  EXPIRES_AT_HEADER,
  readDigits,
  RecordBatchBuilder,
  type RecordHeader,
  RecordReader,
  shiftBatchTimestamps,
} from '@millrace/wire'
import type { Crc32c } from '../../ports/checksum.ts'

const encoder = new TextEncoder()

/** A copy of a batch with all timestamps later by `ms`. */
export function laterBatch(batch: Uint8Array, ms: number, crc32c: Crc32c): Uint8Array {
  const later = batch.slice()
  if (ms > 0) shiftBatchTimestamps(later, ms, crc32c)
  return later
}

/**
 * As `laterBatch`, as if the messages were published so much later: what each has to live stays the same, so `expires-at` moves along.
 * @param batch not compressed, with as many offsets as records, and of no producer
 */
export function laterLives(batch: Uint8Array, ms: number, crc32c: Crc32c): Uint8Array {
  if (ms <= 0 || (batchAttributes(batch) & BATCH_HAS_EXPIRY) === 0) return laterBatch(batch, ms, crc32c)
  const builder = new RecordBatchBuilder(batch.length, crc32c)
  const records = new RecordReader(batch)
  while (records.next()) {
    const headers = records.headers.map((header) => (header.key === EXPIRES_AT_HEADER ? laterExpiry(header, ms) : header))
    builder.append(records.timestampMs + ms, records.key, records.value, headers)
  }
  return builder.finish()
}

/** What is no time stays what it is. */
function laterExpiry(header: RecordHeader, ms: number): RecordHeader {
  const { key, value } = header
  const expiresMs = value === null ? Number.NaN : readDigits(value, 0, value.length)
  return Number.isSafeInteger(expiresMs + ms) ? { key, value: encoder.encode(String(expiresMs + ms)) } : header
}
