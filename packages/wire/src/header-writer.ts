// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import { digitCount, writeDigits } from './digits.ts'
import { copyBytes, type Slab } from './slab.ts'
import { writeZigzag, zigzagSize } from './varints.ts'

/**
 * Headers of a record as they lie in a batch, made apart from it; all numbers are zigzag varints:
 *
 *   count | for each: bytes of the name | name | bytes of the value, -1 for null | value
 */
export interface EncodedHeaders {
  readonly bytes: Uint8Array
  /** From the count, and from the first header, to one past the last. */
  readonly at: number
  readonly firstAt: number
  readonly end: number
  /** Whether `expires-at` is among them. `millrace-retry` never is: it would not be announced. */
  readonly hasExpiry: boolean
}

/** Room for the count, which is known at the end only. */
const COUNT_BYTES_MAX = 5
const LENGTH_BYTES_MAX = 5

/** Writes headers from bytes to bytes, one set after the other into the same slab. */
export class HeaderWriter {
  readonly #slab: Slab
  #start = 0
  #count = 0

  constructor(slab: Slab) {
    this.#slab = slab
  }

  begin(): void {
    const slab = this.#slab
    slab.reserve(slab.at, COUNT_BYTES_MAX)
    this.#start = slab.at
    slab.at += COUNT_BYTES_MAX
    this.#count = 0
  }

  /** @param name in UTF-8; the value is `length` bytes at `at` */
  add(name: Uint8Array, bytes: Uint8Array, at: number, length: number): void {
    this.addNamed(name, 0, name.length, bytes, at, length)
  }

  /** As `add`, with a name that is `nameLength` bytes at `nameAt`. */
  addNamed(names: Uint8Array, nameAt: number, nameLength: number, bytes: Uint8Array, at: number, length: number): void {
    const slab = this.#slab
    const to = this.#name(names, nameAt, nameLength, LENGTH_BYTES_MAX + length)
    slab.at = copyBytes(slab.bytes, writeZigzag(slab.bytes, to, length), bytes, at, length)
  }

  /** A header that is a number. @param value 0 to 2^53 - 1 @param scale how often it is multiplied by ten */
  addDigits(name: Uint8Array, value: number, scale = 0): void {
    const slab = this.#slab
    const digits = digitCount(value)
    const length = value === 0 ? 1 : digits + scale
    let to = this.#name(name, 0, name.length, LENGTH_BYTES_MAX + length)
    to = writeDigits(slab.bytes, writeZigzag(slab.bytes, to, length), value, digits)
    for (let n = digits; n < length; n++) slab.bytes[to++] = ZERO
    slab.at = to
  }

  finish(hasExpiry: boolean): EncodedHeaders {
    const { bytes, at: end } = this.#slab
    const firstAt = this.#start + COUNT_BYTES_MAX
    const at = firstAt - zigzagSize(this.#count)
    writeZigzag(bytes, at, this.#count)
    return { bytes, at, firstAt, end, hasExpiry }
  }

  /** @param more bytes that come behind it, at most @returns where it ends */
  #name(names: Uint8Array, at: number, length: number, more: number): number {
    const slab = this.#slab
    this.#start = slab.reserve(this.#start, LENGTH_BYTES_MAX + length + more)
    this.#count++
    return copyBytes(slab.bytes, writeZigzag(slab.bytes, slab.at, length), names, at, length)
  }
}

const ZERO = 48
