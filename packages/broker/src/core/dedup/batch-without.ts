import { BATCH_HEADER_BYTES, batchBaseTimestampMs } from '@millrace/wire'
import type { Crc32c } from '../../ports/checksum.ts'

/**
 * A batch without some of its records. The others are copied byte by byte and get offset deltas without gaps; the header keeps all
 * that does not speak of the records.
 * @param batch well-formed, with as many offsets as records
 * @param leftOut positions of records, in order; not all of them
 */
export function batchWithout(batch: Uint8Array, leftOut: readonly number[], crc32c: Crc32c): Uint8Array {
  // New offset deltas are never longer.
  const out = new Uint8Array(batch.length)
  out.set(batch.subarray(0, BATCH_HEADER_BYTES))
  const baseTimestampMs = batchBaseTimestampMs(batch)
  let maxTimestampMs = -Infinity
  let records = 0
  let skipped = 0
  let to = BATCH_HEADER_BYTES
  let at = BATCH_HEADER_BYTES
  for (let position = 0; at < batch.length; position++) {
    const end = readVarint(batch, at) + varintEnd
    const bodyAt = varintEnd
    if (leftOut[skipped] === position) {
      skipped++
      at = end
      continue
    }
    maxTimestampMs = Math.max(maxTimestampMs, baseTimestampMs + readVarint(batch, bodyAt + 1))
    const deltaAt = varintEnd
    readVarint(batch, deltaAt)
    const restAt = varintEnd
    to = writeVarint(out, to, deltaAt - bodyAt + varintSize(records) + end - restAt)
    out.set(batch.subarray(bodyAt, deltaAt), to)
    to = writeVarint(out, to + deltaAt - bodyAt, records)
    out.set(batch.subarray(restAt, end), to)
    to += end - restAt
    records++
    at = end
  }
  const result = out.subarray(0, to)
  const view = new DataView(out.buffer)
  view.setInt32(8, to - 12)
  view.setInt32(23, records - 1)
  view.setBigInt64(35, BigInt(maxTimestampMs))
  view.setInt32(57, records)
  view.setUint32(17, crc32c(result.subarray(21)))
  return result
}

let varintEnd = 0

/** Zigzag; of a batch that was checked. */
function readVarint(bytes: Uint8Array, start: number): number {
  let value = 0
  let scale = 1
  let at = start
  for (; bytes[at]! >= 0x80; at++) {
    value += (bytes[at]! & 0x7f) * scale
    scale *= 128
  }
  value += bytes[at]! * scale
  varintEnd = at + 1
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

/** Of a number that is not negative. */
function varintSize(value: number): number {
  let size = 1
  for (let rest = value * 2; rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let rest = value * 2
  let at = start
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80
  bytes[at++] = rest
  return at
}
