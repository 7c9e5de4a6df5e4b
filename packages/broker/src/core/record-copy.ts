// hot path (packages/broker/test/core/throughput.mjs)
import { BATCH_CRC_FROM, BATCH_HEADER_BYTES, batchBaseTimestampMs } from '@millrace/wire'
import type { Crc32c } from '../ports/checksum.ts'

/** Walks the records of a batch that was checked: where each is. */
export class RecordSpans {
  readonly batch: Uint8Array
  /** The record begins with its length at `start`; `body` follows, and `end` is one past it. */
  start = 0
  body = 0
  end: number = BATCH_HEADER_BYTES

  constructor(batch: Uint8Array) {
    this.batch = batch
  }

  next(): boolean {
    if (this.end >= this.batch.length) return false
    this.start = this.end
    const length = readVarint(this.batch, this.start)
    this.body = varintEnd
    this.end = varintEnd + length
    return true
  }
}

/**
 * A batch with some records of another. They are copied byte by byte and get offset deltas without gaps; the header keeps all that
 * does not speak of the records.
 */
export class RecordCopy {
  records = 0
  readonly #out: Uint8Array
  readonly #baseTimestampMs: number
  #to = BATCH_HEADER_BYTES
  #maxTimestampMs = -Infinity

  /** @param recordBytes of those that will be added, as they are in `batch`: new offset deltas are never longer */
  constructor(batch: Uint8Array, recordBytes: number) {
    this.#out = new Uint8Array(BATCH_HEADER_BYTES + recordBytes)
    this.#out.set(batch.subarray(0, BATCH_HEADER_BYTES))
    this.#baseTimestampMs = batchBaseTimestampMs(batch)
  }

  /** The record that `spans` stands on. */
  add({ batch, body, end }: RecordSpans): void {
    const out = this.#out
    const timestampMs = this.#baseTimestampMs + readVarint(batch, body + 1)
    if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
    const deltaAt = varintEnd
    readVarint(batch, deltaAt)
    const restAt = varintEnd
    let to = writeVarint(out, this.#to, deltaAt - body + varintSize(this.records) + end - restAt)
    out.set(batch.subarray(body, deltaAt), to)
    to = writeVarint(out, to + deltaAt - body, this.records)
    out.set(batch.subarray(restAt, end), to)
    this.#to = to + end - restAt
    this.records++
  }

  finish(crc32c: Crc32c): Uint8Array {
    const result = this.#out.subarray(0, this.#to)
    const view = new DataView(this.#out.buffer)
    view.setInt32(8, this.#to - 12)
    view.setInt32(23, this.records - 1)
    view.setBigInt64(35, BigInt(this.#maxTimestampMs))
    view.setInt32(57, this.records)
    view.setUint32(17, crc32c(result.subarray(BATCH_CRC_FROM)))
    return result
  }
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
