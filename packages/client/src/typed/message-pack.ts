/** MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md). */

/** Arrays and objects inside each other; a cycle ends here. */
export const MESSAGE_PACK_DEPTH_MAX = 128

const TOO_DEEP = `the value is nested deeper than ${MESSAGE_PACK_DEPTH_MAX} levels`
const UINT32_LIMIT = 0x1_0000_0000
/** Type of the extension for points in time. */
const TIMESTAMP = -1
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Bytes of null, booleans, numbers, bigints of 64 bits, strings, bytes, dates, arrays and plain objects. Members that are undefined
 * are left out; in an array they become null, as in JSON.
 * @throws TypeError for anything else, RangeError for what is too large or too deep
 */
export function messagePackEncode(value: unknown): Uint8Array {
  const writer = new Writer()
  writer.value(value, 0)
  return writer.bytes.slice(0, writer.at)
}

/**
 * The value of the bytes. Integers beyond 2^53 are bigints; binary is copied; timestamps are Dates; keys of maps are strings or numbers.
 * @throws RangeError for bytes that are not exactly one value
 */
export function messagePackDecode(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes)
  const value = reader.value(0)
  if (reader.at !== bytes.length) throw new RangeError(`${bytes.length - reader.at} bytes follow the MessagePack value`)
  return value
}

class Writer {
  bytes = new Uint8Array(256)
  at = 0
  #view = new DataView(this.bytes.buffer)

  value(value: unknown, depth: number): void {
    if (typeof value === 'string') this.#string(value)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'boolean') this.#head(value ? 0xc3 : 0xc2, 0, 0)
    else if (value === null) this.#head(0xc0, 0, 0)
    else if (typeof value === 'bigint') this.#bigint(value)
    else if (typeof value === 'object') this.#object(value, depth)
    else throw new TypeError(`MessagePack cannot hold a value of type ${typeof value}`)
  }

  #object(value: object, depth: number): void {
    if (depth >= MESSAGE_PACK_DEPTH_MAX) throw new RangeError(TOO_DEEP)
    if (value instanceof Uint8Array) {
      this.#length(value.length, 0, 0, 0xc4, 0xc5)
      return this.#copy(value)
    }
    if (value instanceof Date) return this.#date(value)
    if (Array.isArray(value)) {
      this.#length(value.length, 0x90, 16, undefined, 0xdc)
      for (let n = 0; n < value.length; n++) this.value(value[n] ?? null, depth + 1)
      return
    }
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== null && prototype !== Object.prototype) {
      throw new TypeError(`MessagePack cannot hold ${Object.prototype.toString.call(value)}: make a plain object of it`)
    }
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    this.#length(members.length, 0x80, 16, undefined, 0xde)
    for (const [key, member] of members) {
      this.#string(key)
      this.value(member, depth + 1)
    }
  }

  #number(value: number): void {
    // Minus zero is a float: integers have no sign for it.
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.#head(0xcb, 8, 0n)
      this.#view.setFloat64(this.at - 8, value)
    } else if (value >= -0x20 && value < 0x80) this.#head(value & 0xff, 0, 0)
    else if (value >= 0 && value < 0x100) this.#head(0xcc, 1, value)
    else if (value >= 0 && value < 0x1_0000) this.#head(0xcd, 2, value)
    else if (value >= 0 && value < UINT32_LIMIT) this.#head(0xce, 4, value)
    else if (value >= -0x80 && value < 0) this.#head(0xd0, 1, value)
    else if (value >= -0x8000 && value < 0) this.#head(0xd1, 2, value)
    else if (value >= -0x8000_0000 && value < 0) this.#head(0xd2, 4, value)
    else this.#bigint(BigInt(value))
  }

  #bigint(value: bigint): void {
    const kept = value < 0n ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)
    if (kept !== value) throw new RangeError(`MessagePack integers have 64 bits; ${value} has more`)
    this.#head(value < 0n ? 0xd3 : 0xcf, 8, value)
  }

  #string(value: string): void {
    const bytes = encoder.encode(value)
    this.#length(bytes.length, 0xa0, 32, 0xd9, 0xda)
    this.#copy(bytes)
  }

  /** The timestamp in its 12-byte form: nanoseconds (32 bits), seconds (64, signed). */
  #date(value: Date): void {
    if (Number.isNaN(value.getTime())) throw new TypeError('MessagePack cannot hold an invalid Date')
    const seconds = Math.floor(value.getTime() / 1000)
    const form = new DataView(new ArrayBuffer(12))
    form.setUint32(0, (value.getTime() - seconds * 1000) * 1_000_000)
    form.setBigInt64(4, BigInt(seconds))
    this.#head(0xc7, 2, (12 << 8) | (TIMESTAMP & 0xff))
    this.#copy(new Uint8Array(form.buffer))
  }

  /** A length: in the first byte below `fixLimit`, else in 8 bits after `narrow`, in 16 after `wide`, in 32 after the byte behind that. */
  #length(length: number, fix: number, fixLimit: number, narrow: number | undefined, wide: number): void {
    if (length < fixLimit) this.#head(fix | length, 0, 0)
    else if (narrow !== undefined && length < 0x100) this.#head(narrow, 1, length)
    else if (length < 0x1_0000) this.#head(wide, 2, length)
    else if (length < UINT32_LIMIT) this.#head(wide + 1, 4, length)
    else throw new RangeError(`${length} is too long for MessagePack`)
  }

  /** A first byte, and a number of `width` bytes. */
  #head(first: number, width: 0 | 1 | 2 | 4 | 8, value: number | bigint): void {
    this.#room(9)
    this.bytes[this.at] = first
    const at = this.at + 1
    if (width === 1) this.#view.setUint8(at, Number(value))
    else if (width === 2) this.#view.setUint16(at, Number(value))
    else if (width === 4) this.#view.setUint32(at, Number(value))
    else if (width === 8) this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)))
    this.at = at + width
  }

  #copy(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  #room(bytes: number): void {
    if (this.at + bytes <= this.bytes.length) return
    const { bytes: full } = this
    this.bytes = new Uint8Array(Math.max(full.length * 2, this.at + bytes))
    this.bytes.set(full)
    this.#view = new DataView(this.bytes.buffer)
  }
}

class Reader {
  at = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  value(depth: number): unknown {
    if (depth > MESSAGE_PACK_DEPTH_MAX) throw new RangeError(TOO_DEEP)
    const first = this.#unsigned(0)
    if (first < 0x80) return first
    if (first < 0x90) return this.#map(first & 0x0f, depth)
    if (first < 0xa0) return this.#array(first & 0x0f, depth)
    if (first < 0xc0) return decoder.decode(this.#take(first & 0x1f))
    if (first >= 0xe0) return first - 0x100
    if (first === 0xc0) return null
    if (first === 0xc2 || first === 0xc3) return first === 0xc3
    if (first >= 0xc4 && first <= 0xc6) return this.#take(this.#unsigned(first - 0xc4)).slice()
    if (first >= 0xc7 && first <= 0xc9) return this.#extension(this.#unsigned(first - 0xc7))
    if (first === 0xca) return this.#view.getFloat32(this.#skip(4))
    if (first === 0xcb) return this.#view.getFloat64(this.#skip(8))
    if (first >= 0xcc && first <= 0xce) return this.#unsigned(first - 0xcc)
    if (first === 0xcf) return narrowed(this.#view.getBigUint64(this.#skip(8)))
    if (first === 0xd0) return this.#view.getInt8(this.#skip(1))
    if (first === 0xd1) return this.#view.getInt16(this.#skip(2))
    if (first === 0xd2) return this.#view.getInt32(this.#skip(4))
    if (first === 0xd3) return narrowed(this.#view.getBigInt64(this.#skip(8)))
    if (first >= 0xd4 && first <= 0xd8) return this.#extension(1 << (first - 0xd4))
    if (first >= 0xd9 && first <= 0xdb) return decoder.decode(this.#take(this.#unsigned(first - 0xd9)))
    if (first >= 0xdc && first <= 0xdd) return this.#array(this.#unsigned(first - 0xdb), depth)
    if (first >= 0xde && first <= 0xdf) return this.#map(this.#unsigned(first - 0xdd), depth)
    throw new RangeError(`0x${first.toString(16)} begins no MessagePack value`)
  }

  #array(length: number, depth: number): unknown[] {
    this.#claim(length)
    return Array.from({ length }, () => this.value(depth + 1))
  }

  #map(length: number, depth: number): Record<string, unknown> {
    this.#claim(length * 2)
    const object: Record<string, unknown> = {}
    for (let n = 0; n < length; n++) {
      const key = this.value(depth + 1)
      if (typeof key !== 'string' && typeof key !== 'number')
        throw new RangeError(`a value of type ${typeof key} names no member`)
      const value = this.value(depth + 1)
      // The name belongs to the sender: assigning it would set the prototype.
      if (key === '__proto__') Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
      else object[key] = value
    }
    return object
  }

  #extension(length: number): Date {
    const type = this.#view.getInt8(this.#skip(1))
    const at = this.#skip(length)
    if (type !== TIMESTAMP) throw new RangeError(`MessagePack extension ${type} is unknown`)
    if (length === 4) return dateOf(this.#view.getUint32(at), 0)
    if (length === 12) return dateOf(Number(this.#view.getBigInt64(at + 4)), this.#view.getUint32(at))
    if (length !== 8) throw new RangeError(`a MessagePack timestamp has 4, 8 or 12 bytes, not ${length}`)
    // Nanoseconds (30 bits), seconds (34 bits).
    const word = this.#view.getBigUint64(at)
    return dateOf(Number(word & 0x3_ffff_ffffn), Number(word >> 34n))
  }

  /** Checked before memory is taken: every value has at least one byte. */
  #claim(values: number): void {
    if (values > this.#bytes.length - this.at) throw new RangeError('the MessagePack value is cut off')
  }

  #take(length: number): Uint8Array {
    const at = this.#skip(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** Types of growing width follow each other in the code. @param step 0, 1, 2 for 8, 16, 32 bits */
  #unsigned(step: number): number {
    const at = this.#skip(1 << step)
    return step === 0 ? this.#view.getUint8(at) : step === 1 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  /** @returns where the skipped bytes begin */
  #skip(bytes: number): number {
    this.#claim(bytes)
    this.at += bytes
    return this.at - bytes
  }
}

function narrowed(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

function dateOf(seconds: number, nanoseconds: number): Date {
  const date = new Date(seconds * 1000 + Math.floor(nanoseconds / 1_000_000))
  if (Number.isNaN(date.getTime())) throw new RangeError(`a timestamp of ${seconds} seconds is beyond what a Date can hold`)
  return date
}
