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
import { encodeName } from './text.ts'

export const BATCH_HEADER_BYTES = 61
/** Header with the message's own id, as the publisher gave it. Deduplication windows and inboxes compare it. */
export const MESSAGE_ID_HEADER: string = 'message-id'
/** Where answers to a message go: `queue:NAME` or `topic:NAME`, or the name of a queue. */
export const REPLY_TO_HEADER: string = 'reply-to'
/** Given back by an answer, so that whoever asked knows what it answers. */
export const CORRELATION_ID_HEADER: string = 'correlation-id'
/** Of a prepared message: where it goes when it is committed. */
export const PREPARED_FOR_HEADER: string = 'millrace-prepared-for'
/** Bit 14 of the attributes, which Kafka leaves unused: some record has the header `expires-at`. */
export const BATCH_HAS_EXPIRY: number = 1 << 14
/** Header with the time after which a record is not delivered any more: milliseconds since 1970 in decimal digits. */
export const EXPIRES_AT_HEADER = 'expires-at'

const MAGIC = 2
const NO_HEADERS: readonly RecordHeader[] = []
const decoder = new TextDecoder()

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
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
  writeInt32(batch, 17, checksum(batch.subarray(21)))
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
  writeInt32(batch, 17, checksum(batch.subarray(21)))
}

/**
 * Checks that `batch` is one whole, well-formed batch: size, magic, counts and checksum; not the records inside.
 * @param compressed whether its records may be compressed
 * @returns what is wrong with it, or undefined
 */
export function batchProblem(batch: Uint8Array, checksum: Checksum = crc32c, compressed = false): string | undefined {
  if (batch.length < BATCH_HEADER_BYTES) return `it has ${batch.length} bytes, less than a batch header`
  if (batch[16] !== MAGIC) return `its magic is ${batch[16]}, not ${MAGIC}`
  if (batchSize(batch) !== batch.length) return `it has ${batch.length} bytes but its header says ${batchSize(batch)}`
  const records = batchRecordCount(batch)
  const offsets = batchOffsets(batch)
  if (records < 1) return `it says it holds ${records} records`
  if (offsets < records) return `it says it holds ${records} records in ${offsets} offsets`
  if (!compressed && batchCompression(batch) !== 0) return 'it is compressed'
  if (checksum(batch.subarray(21)) !== batchCrc(batch)) return 'its checksum does not match its content'
  return undefined
}

/** A compressed batch as one that is not. @param records what its records are, decompressed */
export function plainBatch(batch: Uint8Array, records: Uint8Array, checksum: Checksum = crc32c): Uint8Array {
  const plain = new Uint8Array(BATCH_HEADER_BYTES + records.length)
  plain.set(batch.subarray(0, BATCH_HEADER_BYTES))
  plain.set(records, BATCH_HEADER_BYTES)
  writeInt32(plain, 8, plain.length - 12)
  plain[22] = batch[22]! & ~7
  writeInt32(plain, 17, checksum(plain.subarray(21)))
  return plain
}

// ---- building -------------------------------------------------------------------------------------------------------

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
   * Adds a record; the bytes are copied. A header `expires-at` is announced by the batch's attributes.
   * @param offsetDelta its position relative to the base offset; by default the next one. Must grow.
   */
  append(
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[] = NO_HEADERS,
    offsetDelta: number = this.#lastOffsetDelta + 1,
  ): void {
    if (this.#records === 0) {
      this.#baseTimestampMs = timestampMs
      this.#maxTimestampMs = timestampMs
    } else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
    const timestampDelta = timestampMs - this.#baseTimestampMs
    const encodedKeys = headers.length === 0 ? undefined : headers.map((header) => encodeName(header.key))
    for (let n = 0; n < headers.length; n++) if (headers[n]!.key === EXPIRES_AT_HEADER) this.#attributes |= BATCH_HAS_EXPIRY

    let size =
      1 + zigzagSize(timestampDelta) + zigzagSize(offsetDelta) + blobSize(key) + blobSize(value) + zigzagSize(headers.length)
    for (let n = 0; n < headers.length; n++) size += blobSize(encodedKeys![n]!) + blobSize(headers[n]!.value)

    this.#reserve(size + 5)
    const bytes = this.#bytes
    let at = writeZigzag(bytes, this.#end, size)
    bytes[at++] = 0
    at = writeZigzag(bytes, at, timestampDelta)
    at = writeZigzag(bytes, at, offsetDelta)
    at = writeBlob(bytes, at, key)
    at = writeBlob(bytes, at, value)
    at = writeZigzag(bytes, at, headers.length)
    for (let n = 0; n < headers.length; n++) {
      at = writeBlob(bytes, at, encodedKeys![n]!)
      at = writeBlob(bytes, at, headers[n]!.value)
    }
    this.#end = at
    this.#lastOffsetDelta = offsetDelta
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
    batch[16] = MAGIC
    writeInt16(batch, 21, this.#attributes)
    writeInt32(batch, 23, offsets - 1)
    writeInt64(batch, 27, this.#baseTimestampMs)
    writeInt64(batch, 35, this.#maxTimestampMs)
    writeInt64(batch, 43, this.#producerId)
    writeInt16(batch, 51, this.#producerEpoch)
    writeInt32(batch, 53, this.#baseSequence)
    writeInt32(batch, 57, this.#records)
    writeInt32(batch, 17, this.#checksum(batch.subarray(21)))
    this.#end = BATCH_HEADER_BYTES
    this.#records = 0
    this.#lastOffsetDelta = -1
    this.#attributes = 0
    this.setProducer(-1, -1, -1)
    return batch
  }

  #reserve(more: number): void {
    const needed = this.#end + more
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = grown
  }
}

/** Encodes records as one batch of its own; offsets of the input are ignored. */
export function encodeBatch(
  records: readonly {
    readonly timestampMs: number
    readonly key?: Uint8Array | null
    readonly value: Uint8Array | null
    readonly headers?: readonly RecordHeader[]
  }[],
  checksum: Checksum = crc32c,
): Uint8Array {
  const builder = new RecordBatchBuilder(1024, checksum)
  for (const record of records) builder.append(record.timestampMs, record.key ?? null, record.value, record.headers)
  return builder.finish()
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

// ---- integers -------------------------------------------------------------------------------------------------------

function blobSize(blob: Uint8Array | null): number {
  return blob === null ? 1 : zigzagSize(blob.length) + blob.length
}

function writeBlob(bytes: Uint8Array, at: number, blob: Uint8Array | null): number {
  if (blob === null) {
    bytes[at] = 1
    return at + 1
  }
  const start = writeZigzag(bytes, at, blob.length)
  // A loop beats the call of set() for the short blobs that most messages have.
  if (blob.length < 24) for (let n = 0; n < blob.length; n++) bytes[start + n] = blob[n]!
  else bytes.set(blob, start)
  return start + blob.length
}

function zigzagSize(value: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  let size = 1
  for (; rest >= 128; size++) rest = Math.floor(rest / 128)
  return size
}

function writeZigzag(bytes: Uint8Array, start: number, value: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  let at = start
  for (; rest >= 128; at++) {
    bytes[at] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  bytes[at] = rest
  return at + 1
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** Values beyond 2^53 lose precision; none that the broker counts gets there. */
function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * 4294967296 + (readInt32(bytes, at + 4) >>> 0)
}

function writeInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function writeInt64(bytes: Uint8Array, at: number, value: number): void {
  writeInt32(bytes, at, Math.floor(value / 4294967296))
  writeInt32(bytes, at + 4, value >>> 0)
}
