// hot path (bench/src/native.ts)
import {
  batchBaseTimestampMs,
  batchRecordCount,
  BatchFormatError,
  BATCH_HEADER_BYTES,
  type RecordHeader,
} from '../record-batch.ts'
import { isAt } from '../is-at.ts'

const NO_HEADERS: readonly RecordHeader[] = []
const decoder = new TextDecoder()

/**
 * Walks the records of a batch and tells where their parts are, so that a reader can keep positions now and make views or
 * strings later, if at all. `RecordReader` gives the parts themselves.
 */
export class RecordCursor {
  readonly batch: Uint8Array
  offsetDelta = 0
  timestampMs = 0
  /** Position and length in `batch`; length -1 stands for null. */
  keyAt = 0
  keyLength = -1
  valueAt = 0
  valueLength = -1
  /** Where the header count is, and one past the record. */
  headersAt = 0
  end: number = BATCH_HEADER_BYTES
  /** The value that `findHeader` found: position and length in `batch`. */
  headerAt = 0
  headerLength = 0
  readonly #baseTimestampMs: number
  #left: number

  constructor(batch: Uint8Array) {
    this.batch = batch
    this.#baseTimestampMs = batchBaseTimestampMs(batch)
    this.#left = batchRecordCount(batch)
  }

  /** Moves to the next record. @throws BatchFormatError */
  next(): boolean {
    if (this.#left <= 0) return false
    this.#left--
    const { batch } = this
    const length = readVarint(batch, this.end)
    const start = varintEnd
    const end = start + length
    if (length < 6 || end > batch.length) throw new BatchFormatError(`a record claims ${length} bytes`)
    this.timestampMs = this.#baseTimestampMs + readVarint(batch, start + 1)
    this.offsetDelta = readVarint(batch, varintEnd)
    const keyLength = readVarint(batch, varintEnd)
    const keyAt = varintEnd
    const keyEnd = keyLength > 0 ? keyAt + keyLength : keyAt
    if (keyEnd > end) throw new BatchFormatError('a key leaves its record')
    const valueLength = readVarint(batch, keyEnd)
    const valueAt = varintEnd
    const valueEnd = valueLength > 0 ? valueAt + valueLength : valueAt
    if (valueEnd > end) throw new BatchFormatError('a value leaves its record')
    this.keyLength = keyLength
    this.keyAt = keyAt
    this.valueLength = valueLength
    this.valueAt = valueAt
    this.headersAt = valueEnd
    this.end = end
    return true
  }

  /**
   * Looks for a header of the record without decoding the others. The last one of that name counts.
   * @param name in UTF-8
   * @returns whether there is one with a value; `headerAt` and `headerLength` tell where
   * @throws BatchFormatError
   */
  findHeader(name: Uint8Array): boolean {
    const { batch, end } = this
    this.headerLength = -1
    let left = readVarint(batch, this.headersAt)
    let at = varintEnd
    for (; left > 0; left--) {
      const nameLength = readVarint(batch, at)
      const nameAt = varintEnd
      if (nameLength < 0 || nameAt + nameLength > end) throw new BatchFormatError('a header leaves its record')
      const valueLength = readVarint(batch, nameAt + nameLength)
      const valueAt = varintEnd
      at = valueLength < 0 ? valueAt : valueAt + valueLength
      if (at > end) throw new BatchFormatError('a header leaves its record')
      if (nameLength !== name.length || !isAt(batch, nameAt, name)) continue
      this.headerAt = valueAt
      this.headerLength = valueLength
    }
    return this.headerLength >= 0
  }
}

/** The headers of a record. @param at `RecordCursor.headersAt` @param end `RecordCursor.end` @throws BatchFormatError */
export function readHeaders(batch: Uint8Array, at: number, end: number): readonly RecordHeader[] {
  const count = readVarint(batch, at)
  if (count === 0) return NO_HEADERS
  if (count < 0 || count > end - varintEnd) throw new BatchFormatError(`a record claims ${count} headers`)
  const headers: RecordHeader[] = []
  for (let n = 0; n < count; n++) {
    const key = readBlob(batch, varintEnd, end)
    if (key === null) throw new BatchFormatError('a header has no key')
    headers.push({ key: decoder.decode(key), value: readBlob(batch, varintEnd, end) })
  }
  return headers
}

function readBlob(batch: Uint8Array, at: number, end: number): Uint8Array | null {
  const length = readVarint(batch, at)
  if (length < 0) return null
  const start = varintEnd
  if (start + length > end) throw new BatchFormatError('a header leaves its record')
  varintEnd = start + length
  return batch.subarray(start, varintEnd)
}

/** Where the last `readVarint` or `readBlob` ended. */
let varintEnd = 0

/** Zigzag, up to 53 bits. Most have one byte or two, which need no arithmetic beyond 32 bits. */
function readVarint(bytes: Uint8Array, at: number): number {
  let byte = bytes[at]
  if (byte === undefined) throw new BatchFormatError('a record ends early')
  if (byte < 0x80) {
    varintEnd = at + 1
    return (byte >>> 1) ^ -(byte & 1)
  }
  const second = bytes[at + 1]
  if (second !== undefined && second < 0x80) {
    varintEnd = at + 2
    const both = (byte & 0x7f) | (second << 7)
    return (both >>> 1) ^ -(both & 1)
  }
  let low = byte & 0x7f
  let scale = 128
  let next = at + 1
  do {
    byte = bytes[next++]
    if (byte === undefined || scale > 2 ** 49) throw new BatchFormatError('a varint does not end')
    low += (byte & 0x7f) * scale
    scale *= 128
  } while (byte >= 0x80)
  varintEnd = next
  return low % 2 === 0 ? low / 2 : -(low + 1) / 2
}
