/**
 * The stored form of messages: Kafka record batches, magic 2 (docs/formats/record-batch.md;
 * https://kafka.apache.org/documentation/#recordbatch). All integers are big-endian.
 *
 *   0 baseOffset i64 | 8 batchLength i32 | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32 (over 21..end)
 *   21 attributes i16 | 23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64 | 43 producerId i64
 *   51 producerEpoch i16 | 53 baseSequence i32 | 57 recordCount i32 | 61 records
 */
// hot path (bench/src/codec.ts)
import { crc32c } from './crc32c.ts'
import { readInt32, readInt64, writeInt16, writeInt32, writeInt64 } from './integers.ts'

export const BATCH_HEADER_BYTES = 61
/** Header with the message's own id, as the publisher gave it. Deduplication windows and inboxes compare it. */
export const MESSAGE_ID_HEADER: string = 'message-id'
/** Where answers to a message go: `queue:NAME` or `topic:NAME`, or the name of a queue. */
export const REPLY_TO_HEADER: string = 'reply-to'
/** Given back by an answer, so that whoever asked knows what it answers. */
export const CORRELATION_ID_HEADER: string = 'correlation-id'
/** Of a prepared message: where it goes when it is committed. */
export const PREPARED_FOR_HEADER: string = 'millrace-prepared-for'
/** And its own retry policy, which is for there. */
export const PREPARED_RETRY_HEADER: string = 'millrace-prepared-retry'
/** Bit 14 of the attributes, which Kafka leaves unused: some record has the header `expires-at`. */
export const BATCH_HAS_EXPIRY: number = 1 << 14
/** Bit 13, as unused: some record has the header `millrace-retry`. */
export const BATCH_HAS_RETRY: number = 1 << 13
/** Header with the time after which a record is not delivered any more: milliseconds since 1970 in decimal digits. */
export const EXPIRES_AT_HEADER = 'expires-at'

export const BATCH_MAGIC = 2
/** The checksum of a batch covers what comes from here on. */
export const BATCH_CRC_FROM = 21
const NO_HEADERS: readonly RecordHeader[] = []
const decoder = new TextDecoder()

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

/** A header as it is written: a value of text becomes UTF-8. */
export interface HeaderToWrite {
  readonly key: string
  readonly value: string | Uint8Array | null
}

/** One record, decoded. Byte fields are views of the batch. */
export interface BatchRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

export type Checksum = (bytes: Uint8Array) => number

// ---- header fields of a batch ---------------------------------------------------------------------------------------

export function batchBaseOffset(batch: Uint8Array): number {
  return readInt64(batch, 0)
}

/** Whole size in bytes as its header says: batchLength counts from byte 12. */
export function batchSize(batch: Uint8Array): number {
  return readInt32(batch, 8) + 12
}

export function batchAttributes(batch: Uint8Array): number {
  return (batch[21]! << 8) | batch[22]!
}

/** How its records are compressed: 0 not at all, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
export function batchCompression(batch: Uint8Array): number {
  return batch[22]! & 7
}

/** How many offsets the batch takes: lastOffsetDelta + 1. */
export function batchOffsets(batch: Uint8Array): number {
  return readInt32(batch, 23) + 1
}

export function batchRecordCount(batch: Uint8Array): number {
  return readInt32(batch, 57)
}

export function batchBaseTimestampMs(batch: Uint8Array): number {
  return readInt64(batch, 27)
}

export function batchMaxTimestampMs(batch: Uint8Array): number {
  return readInt64(batch, 35)
}

/** -1 for none. */
export function batchProducerId(batch: Uint8Array): number {
  return readInt64(batch, 43)
}

export function batchProducerEpoch(batch: Uint8Array): number {
  return ((batch[51]! << 24) >> 16) | batch[52]!
}

/** Of the first record; the others follow. */
export function batchBaseSequence(batch: Uint8Array): number {
  return readInt32(batch, 53)
}

/** Whether a producer id is set. */
export function namesProducer(batch: Uint8Array): boolean {
  return batch[43]! < 0x80
}

/** Sets the producer fields of a whole batch, and its checksum. @param sequence of its first record, 0 to 2^31 - 1 */
export function setBatchProducer(
  batch: Uint8Array,
  producerId: number,
  epoch: number,
  sequence: number,
  checksum: Checksum = crc32c,
): void {
  writeInt64(batch, 43, producerId)
  writeInt16(batch, 51, epoch)
  writeInt32(batch, 53, sequence)
  writeInt32(batch, 17, checksum(batch.subarray(BATCH_CRC_FROM)))
}

export function batchCrc(batch: Uint8Array): number {
  return readInt32(batch, 17) >>> 0
}

/** Sets the base offset field, which the checksum does not cover. */
export function setBatchBaseOffset(batch: Uint8Array, baseOffset: number): void {
  writeInt64(batch, 0, baseOffset)
}

/** Makes all timestamps of the batch later by `ms`. */
export function shiftBatchTimestamps(batch: Uint8Array, ms: number, checksum: Checksum = crc32c): void {
  writeInt64(batch, 27, batchBaseTimestampMs(batch) + ms)
  writeInt64(batch, 35, batchMaxTimestampMs(batch) + ms)
  writeInt32(batch, 17, checksum(batch.subarray(BATCH_CRC_FROM)))
}

/**
 * Checks that `batch` is one whole, well-formed batch: size, magic, counts and checksum; not the records inside.
 * @param compressed whether its records may be compressed
 * @returns what is wrong with it, or undefined
 */
export function batchProblem(batch: Uint8Array, checksum: Checksum = crc32c, compressed = false): string | undefined {
  if (batch.length < BATCH_HEADER_BYTES) return `it has ${batch.length} bytes, less than a batch header`
  if (batch[16] !== BATCH_MAGIC) return `its magic is ${batch[16]}, not ${BATCH_MAGIC}`
  if (batchSize(batch) !== batch.length) return `it has ${batch.length} bytes but its header says ${batchSize(batch)}`
  const records = batchRecordCount(batch)
  const offsets = batchOffsets(batch)
  if (records < 1) return `it says it holds ${records} records`
  if (offsets < records) return `it says it holds ${records} records in ${offsets} offsets`
  if (!compressed && batchCompression(batch) !== 0) return 'it is compressed'
  if (checksum(batch.subarray(BATCH_CRC_FROM)) !== batchCrc(batch)) return 'its checksum does not match its content'
  return undefined
}

/** A compressed batch as one that is not. @param records what its records are, decompressed */
export function plainBatch(batch: Uint8Array, records: Uint8Array, checksum: Checksum = crc32c): Uint8Array {
  const plain = new Uint8Array(BATCH_HEADER_BYTES + records.length)
  plain.set(batch.subarray(0, BATCH_HEADER_BYTES))
  plain.set(records, BATCH_HEADER_BYTES)
  writeInt32(plain, 8, plain.length - 12)
  plain[22] = batch[22]! & ~7
  writeInt32(plain, 17, checksum(plain.subarray(BATCH_CRC_FROM)))
  return plain
}

// ---- reading --------------------------------------------------------------------------------------------------------

/** Thrown when the records inside a batch are malformed. */
export class BatchFormatError extends Error {
  override readonly name = 'BatchFormatError'
}

/**
 * Walks the records of a batch without allocating for those that are skipped. `next()` moves to the next record; the fields describe it
 * until the following call. `key`, `value` and `headers` are made on access.
 */
export class RecordReader {
  offsetDelta = 0
  timestampMs = 0
  readonly #batch: Uint8Array
  readonly #baseTimestampMs: number
  #left: number
  #next = BATCH_HEADER_BYTES
  #keyAt = 0
  #keyLength = -1
  #valueAt = 0
  #valueLength = -1
  #headersAt = 0
  #at = 0

  constructor(batch: Uint8Array) {
    this.#batch = batch
    this.#baseTimestampMs = batchBaseTimestampMs(batch)
    this.#left = batchRecordCount(batch)
  }

  /** @throws BatchFormatError */
  next(): boolean {
    if (this.#left === 0) return false
    this.#left--
    this.#at = this.#next
    const length = this.#varint()
    const start = this.#at
    const end = start + length
    if (length < 6 || end > this.#batch.length) throw new BatchFormatError(`a record claims ${length} bytes`)
    this.#next = end
    this.#at = start + 1
    this.timestampMs = this.#baseTimestampMs + this.#varint()
    this.offsetDelta = this.#varint()
    this.#keyLength = this.#varint()
    this.#keyAt = this.#at
    if (this.#keyLength > 0) this.#at += this.#keyLength
    if (this.#at > end) throw new BatchFormatError('a key leaves its record')
    this.#valueLength = this.#varint()
    this.#valueAt = this.#at
    if (this.#valueLength > 0) this.#at += this.#valueLength
    if (this.#at > end) throw new BatchFormatError('a value leaves its record')
    this.#headersAt = this.#at
    return true
  }

  get key(): Uint8Array | null {
    return this.#keyLength < 0 ? null : this.#batch.subarray(this.#keyAt, this.#keyAt + this.#keyLength)
  }

  get value(): Uint8Array | null {
    return this.#valueLength < 0 ? null : this.#batch.subarray(this.#valueAt, this.#valueAt + this.#valueLength)
  }

  /** @throws BatchFormatError */
  get headers(): readonly RecordHeader[] {
    this.#at = this.#headersAt
    const count = this.#varint()
    if (count === 0) return NO_HEADERS
    if (count < 0 || count > this.#next - this.#at) throw new BatchFormatError(`a record claims ${count} headers`)
    const headers: RecordHeader[] = []
    for (let n = 0; n < count; n++) {
      const key = this.#blob()
      if (key === null) throw new BatchFormatError('a header has no key')
      headers.push({ key: decoder.decode(key), value: this.#blob() })
    }
    return headers
  }

  #blob(): Uint8Array | null {
    const length = this.#varint()
    if (length < 0) return null
    const start = this.#at
    if (start + length > this.#next) throw new BatchFormatError('a header leaves its record')
    this.#at = start + length
    return this.#batch.subarray(start, this.#at)
  }

  /** Zigzag varint, up to 53 bits. */
  #varint(): number {
    const batch = this.#batch
    let byte = batch[this.#at++]
    if (byte === undefined) throw new BatchFormatError('a record ends early')
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let low = byte & 0x7f
    let scale = 128
    do {
      byte = batch[this.#at++]
      if (byte === undefined || scale > 2 ** 62) throw new BatchFormatError('a varint does not end')
      low += (byte & 0x7f) * scale
      scale *= 128
    } while (byte >= 0x80)
    return low % 2 === 0 ? low / 2 : -(low + 1) / 2
  }
}

/** Decodes all records whose offset lies in `first..last`. @throws BatchFormatError */
export function decodeBatch(
  batch: Uint8Array,
  baseOffset: number = batchBaseOffset(batch),
  first: number = -Infinity,
  last: number = Infinity,
): BatchRecord[] {
  const reader = new RecordReader(batch)
  const records: BatchRecord[] = []
  while (reader.next()) {
    const offset = baseOffset + reader.offsetDelta
    if (offset < first) continue
    if (offset > last) break
    records.push({ offset, timestampMs: reader.timestampMs, key: reader.key, value: reader.value, headers: reader.headers })
  }
  return records
}
