// hot path (bench/src/native.ts)
/**
 * Looks at the records of a batch without decoding them. Record: length zigzag | attributes u8 | timestamp delta zigzag |
 * offset delta zigzag | key | value | headers (docs/formats/record-batch.md).
 */
import { crc32c } from '../crc32c.ts'
import { isAt } from '../is-at.ts'
import { BATCH_HEADER_BYTES, batchOffsets, batchRecordCount } from '../record-batch.ts'

export const KEYLESS_RECORD = 'a record has no key'

/**
 * Checks what the batch header cannot say: that there are as many records as it counts, that each is well-formed and stays
 * inside itself, that offset deltas grow and stay inside the batch, and that nothing is left over. Call it once, where bytes
 * come in from outside; `batchProblem` has passed.
 * @param keyed whether a record without a key is a problem: `KEYLESS_RECORD`
 * @returns what is wrong, or undefined
 */
export function recordsProblem(batch: Uint8Array, keyed = false): string | undefined {
  const count = batchRecordCount(batch)
  const offsets = batchOffsets(batch)
  let at = BATCH_HEADER_BYTES
  let lastDelta = -1
  for (let n = 0; n < count; n++) {
    const length = readVarint(batch, at)
    const start = at + varintBytes
    const end = start + length
    if (varintBytes === 0 || length < 6 || end > batch.length) return `record ${n} leaves the batch`
    at = start + 1
    readVarint(batch, at)
    if (varintBytes === 0) return `record ${n} has no timestamp`
    at += varintBytes
    const delta = readVarint(batch, at)
    if (varintBytes === 0 || delta <= lastDelta || delta >= offsets) return `record ${n} has an offset out of order`
    lastDelta = delta
    at += varintBytes
    for (let blob = 0; blob < 2; blob++) {
      const size = readVarint(batch, at)
      at += varintBytes + (size > 0 ? size : 0)
      if (varintBytes === 0 || size < -1 || at > end) return `record ${n} has a ${blob === 0 ? 'key' : 'value'} that leaves it`
      if (keyed && blob === 0 && size < 0) return KEYLESS_RECORD
    }
    const headers = readVarint(batch, at)
    if (varintBytes === 0 || headers < 0) return `record ${n} has no header count`
    at += varintBytes
    for (let header = 0; header < headers; header++) {
      for (let blob = 0; blob < 2; blob++) {
        const size = readVarint(batch, at)
        at += varintBytes + (size > 0 ? size : 0)
        // A value may be null (-1), a key may not.
        if (varintBytes === 0 || size < -blob || at > end) return `record ${n} has a header that leaves it`
      }
    }
    if (at !== end) return `record ${n} has bytes left over`
  }
  return at === batch.length ? undefined : `${batch.length - at} bytes follow the last record`
}

/**
 * Finds one header in each record of a batch for which `recordsProblem` has nothing to say. The last one of that name counts.
 * @param name in UTF-8
 * @param places gets two numbers for each record: where in the batch its value is, and its length; -1 when there is none, or it is null
 */
export function locateHeader(batch: Uint8Array, name: Uint8Array, places: Int32Array): void {
  const count = batchRecordCount(batch)
  let at = BATCH_HEADER_BYTES
  for (let n = 0; n < count; n++) {
    while (batch[at++]! >= 0x80);
    // Behind the length: attributes, and the deltas of time and offset.
    at++
    while (batch[at++]! >= 0x80);
    while (batch[at++]! >= 0x80);
    at = blobEnd(batch, blobEnd(batch, at))
    let left = readVarint(batch, at)
    at += varintBytes
    let valueAt = 0
    let valueLength = -1
    for (; left > 0; left--) {
      const nameLength = readVarint(batch, at)
      const nameAt = at + varintBytes
      const isIt = nameLength === name.length && isAt(batch, nameAt, name)
      const length = readVarint(batch, nameAt + nameLength)
      at = nameAt + nameLength + varintBytes
      if (isIt) {
        valueAt = at
        valueLength = length
      }
      if (length > 0) at += length
    }
    places[n * 2] = valueAt
    places[n * 2 + 1] = valueLength
  }
}

/** Walks the keys of a batch for which `recordsProblem` has nothing to say, and looks at nothing else. */
export class KeyCursor {
  offsetDelta = 0
  /** Position and length in the batch; length -1 stands for null. */
  keyAt = 0
  keyLength = -1
  readonly #batch: Uint8Array
  #left: number
  /** Where the next record begins. */
  #next: number = BATCH_HEADER_BYTES

  constructor(batch: Uint8Array) {
    this.#batch = batch
    this.#left = batchRecordCount(batch)
  }

  /** Moves to the next record. */
  next(): boolean {
    if (this.#left-- <= 0) return false
    const batch = this.#batch
    const length = readVarint(batch, this.#next)
    let at = this.#next + varintBytes
    this.#next = at + length
    // Behind the attributes: the delta of time.
    at++
    while (batch[at++]! >= 0x80);
    this.offsetDelta = readVarint(batch, at)
    at += varintBytes
    this.keyLength = readVarint(batch, at)
    this.keyAt = at + varintBytes
    return true
  }
}

function blobEnd(batch: Uint8Array, at: number): number {
  const length = readVarint(batch, at)
  return length > 0 ? at + varintBytes + length : at + varintBytes
}

/**
 * Cuts runs of records out of a batch, for a consumer whose credit covers only part of it. Records keep their encoding and
 * their offset deltas; header, count and checksum are made anew. Remembers where the last cut ended, so that walking through
 * one batch in many cuts costs one walk.
 */
export class BatchCutter {
  #batch: Uint8Array | undefined
  #at = BATCH_HEADER_BYTES
  #nextDelta = 0

  /** The records with offset deltas `first..last`, as a batch of its own. Well-formed batches only. */
  cut(batch: Uint8Array, first: number, last: number): Uint8Array {
    if (this.#batch !== batch || first < this.#nextDelta) {
      this.#batch = batch
      this.#at = BATCH_HEADER_BYTES
    }
    let at = this.#at
    let start = -1
    let count = 0
    while (at < batch.length) {
      const length = readVarint(batch, at)
      const bodyAt = at + varintBytes
      readVarint(batch, bodyAt + 1)
      const delta = readVarint(batch, bodyAt + 1 + varintBytes)
      if (delta > last) break
      if (delta >= first) {
        if (start < 0) start = at
        count++
      }
      at = bodyAt + length
    }
    this.#at = at
    this.#nextDelta = last + 1
    if (start < 0) start = at
    return excerpt(batch, start, at, count)
  }

  /** Lets go of the batch. */
  reset(): void {
    this.#batch = undefined
  }
}

function excerpt(batch: Uint8Array, start: number, end: number, count: number): Uint8Array {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + end - start)
  bytes.set(batch.subarray(0, BATCH_HEADER_BYTES))
  bytes.set(batch.subarray(start, end), BATCH_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setInt32(8, bytes.length - 12)
  view.setInt32(57, count)
  view.setUint32(17, crc32c(bytes, 0, 21))
  return bytes
}

/** Bytes that the last `readVarint` took; 0 when it met the end of the batch or more than 53 bits. */
let varintBytes = 0

/** Zigzag, up to 53 bits. Most have one byte: that part is small enough to be inlined. */
function readVarint(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]!
  if (byte < 0x80) {
    varintBytes = 1
    return (byte >>> 1) ^ -(byte & 1)
  }
  return readLongVarint(bytes, at)
}

/** Two bytes need no arithmetic beyond 32 bits. */
function readLongVarint(bytes: Uint8Array, at: number): number {
  let byte = bytes[at]
  if (byte === undefined) {
    varintBytes = 0
    return 0
  }
  const second = bytes[at + 1]
  if (second !== undefined && second < 0x80) {
    varintBytes = 2
    const both = (byte & 0x7f) | (second << 7)
    return (both >>> 1) ^ -(both & 1)
  }
  let low = byte & 0x7f
  let scale = 128
  let next = at + 1
  do {
    byte = bytes[next++]
    if (byte === undefined || scale > 2 ** 49) {
      varintBytes = 0
      return 0
    }
    low += (byte & 0x7f) * scale
    scale *= 128
  } while (byte >= 0x80)
  varintBytes = next - at
  return low % 2 === 0 ? low / 2 : -(low + 1) / 2
}
