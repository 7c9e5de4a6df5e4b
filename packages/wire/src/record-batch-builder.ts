// hot path (bench/src/codec.ts)
import { crc32c } from './crc32c.ts'
import type { EncodedHeaders } from './header-writer.ts'
import { writeInt16, writeInt32, writeInt64 } from './integers.ts'
import { RETRY_HEADER } from './message-properties.ts'
import {
  BATCH_CRC_FROM,
  BATCH_HAS_EXPIRY,
  BATCH_HAS_RETRY,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  type Checksum,
  EXPIRES_AT_HEADER,
  type HeaderToWrite,
} from './record-batch.ts'
import { copyBytes } from './slab.ts'
import { encodeName, textSize, writeText } from './text.ts'
import { writeZigzag, zigzagSize } from './varints.ts'

const NO_HEADERS: readonly HeaderToWrite[] = []

/** Builds one batch at a time; reusable after `finish`. */
export class RecordBatchBuilder {
  #bytes: Uint8Array
  #end = BATCH_HEADER_BYTES
  #records = 0
  #lastOffsetDelta = -1
  #baseTimestampMs = 0
  #maxTimestampMs = 0
  #attributes = 0
  #producerId = -1
  #producerEpoch = -1
  #baseSequence = -1
  readonly #checksum: Checksum
  /** Of the headers of the record that is being added. */
  readonly #valueSizes: number[] = []

  constructor(initialBytes = 1024, checksum: Checksum = crc32c) {
    this.#bytes = new Uint8Array(Math.max(initialBytes, BATCH_HEADER_BYTES))
    this.#checksum = checksum
  }

  /** Size of the batch so far, in bytes. */
  get bytes(): number {
    return this.#end
  }

  get records(): number {
    return this.#records
  }

  /** Memory that it holds, in bytes. */
  get capacityBytes(): number {
    return this.#bytes.length
  }

  /**
   * Adds a record; bytes are copied, text becomes UTF-8. Headers `expires-at` and `millrace-retry` are announced by the batch's attributes.
   * @param offsetDelta its position relative to the base offset; by default the next one. Must grow.
   */
  append(
    timestampMs: number,
    key: string | Uint8Array | null,
    value: string | Uint8Array | null,
    headers: readonly HeaderToWrite[] = NO_HEADERS,
    offsetDelta: number = this.#lastOffsetDelta + 1,
  ): void {
    this.#date(timestampMs)
    const timestampDelta = timestampMs - this.#baseTimestampMs
    const keySize = partSize(key)
    const valueSize = partSize(value)
    const count = headers.length
    let size = 1 + zigzagSize(timestampDelta) + zigzagSize(offsetDelta) + zigzagSize(count)
    size += zigzagSize(keySize) + Math.max(keySize, 0) + zigzagSize(valueSize) + Math.max(valueSize, 0)
    if (count > 0) size += this.#measureHeaders(headers)

    this.#reserve(size + 5)
    const bytes = this.#bytes
    let at = writeZigzag(bytes, this.#end, size)
    bytes[at++] = 0
    at = writeZigzag(bytes, at, timestampDelta)
    at = writeZigzag(bytes, at, offsetDelta)
    at = writePart(bytes, at, key, keySize)
    at = writePart(bytes, at, value, valueSize)
    at = writeZigzag(bytes, at, count)
    for (let n = 0; n < count; n++) {
      const name = encodeName(headers[n]!.key)
      at = writePart(bytes, at, name, name.length)
      at = writePart(bytes, at, headers[n]!.value, this.#valueSizes[n]!)
    }
    this.#end = at
    this.#lastOffsetDelta = offsetDelta
    this.#records++
  }

  /**
   * As `append`, for records that come one after the other: with a value inside `bytes` and headers that were encoded before.
   * @param length of the value, which begins at `at`
   */
  appendEncoded(
    timestampMs: number,
    key: string | Uint8Array | null,
    bytes: Uint8Array,
    at: number,
    length: number,
    headers: EncodedHeaders,
  ): void {
    this.#date(timestampMs)
    const timestampDelta = timestampMs - this.#baseTimestampMs
    const offsetDelta = ++this.#lastOffsetDelta
    const keySize = partSize(key)
    let size = 1 + zigzagSize(timestampDelta) + zigzagSize(offsetDelta) + zigzagSize(keySize) + Math.max(keySize, 0)
    size += zigzagSize(length) + length + headers.end - headers.at
    this.#reserve(size + 5)
    const to = this.#bytes
    let end = writeZigzag(to, this.#end, size)
    to[end++] = 0
    end = writeZigzag(to, end, timestampDelta)
    end = writeZigzag(to, end, offsetDelta)
    end = writePart(to, end, key, keySize)
    end = copyBytes(to, writeZigzag(to, end, length), bytes, at, length)
    this.#end = copyBytes(to, end, headers.bytes, headers.at, headers.end - headers.at)
    if (headers.hasExpiry) this.#attributes |= BATCH_HAS_EXPIRY
    this.#records++
  }

  /** Sets the producer of this batch. @param sequence of its first record, 0 to 2^31 - 1 */
  setProducer(producerId: number, epoch: number, sequence: number): void {
    this.#producerId = producerId
    this.#producerEpoch = epoch
    this.#baseSequence = sequence
  }

  /**
   * Completes the batch and starts the next one. The result is a view that stays valid until the next call to `append`; copy it to keep it.
   * @param offsets how many offsets it takes, when that is more than the last record's (compaction keeps the range)
   */
  finish(offsets: number = this.#lastOffsetDelta + 1): Uint8Array {
    const batch = this.#bytes.subarray(0, this.#end)
    writeInt64(batch, 0, 0)
    writeInt32(batch, 8, batch.length - 12)
    writeInt32(batch, 12, 0)
    batch[16] = BATCH_MAGIC
    writeInt16(batch, 21, this.#attributes)
    writeInt32(batch, 23, offsets - 1)
    writeInt64(batch, 27, this.#baseTimestampMs)
    writeInt64(batch, 35, this.#maxTimestampMs)
    writeInt64(batch, 43, this.#producerId)
    writeInt16(batch, 51, this.#producerEpoch)
    writeInt32(batch, 53, this.#baseSequence)
    writeInt32(batch, 57, this.#records)
    writeInt32(batch, 17, this.#checksum(batch.subarray(BATCH_CRC_FROM)))
    this.#end = BATCH_HEADER_BYTES
    this.#records = 0
    this.#lastOffsetDelta = -1
    this.#attributes = 0
    this.setProducer(-1, -1, -1)
    return batch
  }

  #date(timestampMs: number): void {
    if (this.#records === 0) this.#baseTimestampMs = this.#maxTimestampMs = timestampMs
    else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
  }

  #measureHeaders(headers: readonly HeaderToWrite[]): number {
    let size = 0
    for (let n = 0; n < headers.length; n++) {
      const { key, value } = headers[n]!
      if (key === EXPIRES_AT_HEADER) this.#attributes |= BATCH_HAS_EXPIRY
      else if (key === RETRY_HEADER) this.#attributes |= BATCH_HAS_RETRY
      const nameSize = encodeName(key).length
      const valueSize = partSize(value)
      this.#valueSizes[n] = valueSize
      size += zigzagSize(nameSize) + nameSize + zigzagSize(valueSize) + Math.max(valueSize, 0)
    }
    return size
  }

  #reserve(more: number): void {
    const needed = this.#end + more
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = grown
  }
}

/** Headers for many records, made once. */
export function encodeHeaders(headers: readonly HeaderToWrite[]): EncodedHeaders {
  let size = zigzagSize(headers.length)
  for (const { key, value } of headers) {
    const nameSize = encodeName(key).length
    const valueSize = partSize(value)
    size += zigzagSize(nameSize) + nameSize + zigzagSize(valueSize) + Math.max(valueSize, 0)
  }
  const bytes = new Uint8Array(size)
  let at = writeZigzag(bytes, 0, headers.length)
  for (const { key, value } of headers) {
    const name = encodeName(key)
    at = writePart(bytes, writePart(bytes, at, name, name.length), value, partSize(value))
  }
  const hasExpiry = headers.some(({ key }) => key === EXPIRES_AT_HEADER)
  return { bytes, at: 0, firstAt: zigzagSize(headers.length), end: size, hasExpiry }
}

/** Encodes records as one batch of its own; offsets of the input are ignored. */
export function encodeBatch(
  records: readonly {
    readonly timestampMs: number
    readonly key?: Uint8Array | null
    readonly value: Uint8Array | null
    readonly headers?: readonly HeaderToWrite[]
  }[],
  checksum: Checksum = crc32c,
): Uint8Array {
  const builder = new RecordBatchBuilder(1024, checksum)
  for (const record of records) builder.append(record.timestampMs, record.key ?? null, record.value, record.headers)
  return builder.finish()
}

/** Bytes of a key or value; -1 for null, as its length is written. */
function partSize(part: string | Uint8Array | null): number {
  if (part === null) return -1
  return typeof part === 'string' ? textSize(part) : part.length
}

function writePart(bytes: Uint8Array, at: number, part: string | Uint8Array | null, size: number): number {
  const start = writeZigzag(bytes, at, size)
  if (part === null) return start
  if (typeof part === 'string') return writeText(bytes, start, part, size)
  return copyBytes(bytes, start, part, 0, size)
}
