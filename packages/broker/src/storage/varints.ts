import { MillraceError } from '../base/errors.ts'

// hot path (bench/src/log-store.ts)

/** Grows as it is written. Integers are unsigned LEB128 varints of up to 53 bits, or zigzag ones where they may be negative. */
export class ByteWriter {
  bytes: Uint8Array
  at = 0

  constructor(initialBytes = 256) {
    this.bytes = new Uint8Array(initialBytes)
  }

  /** What was written so far; a view. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.at)
  }

  reset(): void {
    this.at = 0
  }

  varint(value: number): void {
    if (this.at + 8 > this.bytes.length) this.#grow(8)
    const bytes = this.bytes
    let rest = value
    while (rest >= 0x80) {
      bytes[this.at++] = (rest % 128) | 0x80
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 128)
    }
    bytes[this.at++] = rest
  }

  /** Within +-2^52. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  raw(bytes: Uint8Array): void {
    if (this.at + bytes.length > this.bytes.length) this.#grow(bytes.length)
    this.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  /** Skips `length` bytes, to be filled in later. @returns where they begin */
  skip(length: number): number {
    if (this.at + length > this.bytes.length) this.#grow(length)
    const at = this.at
    this.at += length
    return at
  }

  #grow(more: number): void {
    const grown = new Uint8Array(Math.max(this.at + more, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.at))
    this.bytes = grown
  }
}

/** Reads what `ByteWriter` wrote. @throws MillraceError `data_corrupt` at the end of the bytes */
export class ByteReader {
  readonly bytes: Uint8Array
  at: number
  readonly end: number

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  get done(): boolean {
    return this.at >= this.end
  }

  varint(): number {
    const bytes = this.bytes
    let byte = this.#byte()
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    let scale = 128
    do {
      byte = this.#byte()
      value += (byte & 0x7f) * scale
      scale *= 128
      if (scale > 2 ** 63) throw new MillraceError('data_corrupt', `A varint does not end at byte ${this.at} of ${bytes.length}.`)
    } while (byte >= 0x80)
    return value
  }

  zigzag(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  #byte(): number {
    if (this.at >= this.end) throw new MillraceError('data_corrupt', `Stored integers end early, at byte ${this.at}.`)
    return this.bytes[this.at++]!
  }
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/** A signed 64-bit integer that is a safe integer. */
export function writeInt53(bytes: Uint8Array, at: number, value: number): void {
  writeUint32(bytes, at, Math.floor(value / 0x100000000) >>> 0)
  writeUint32(bytes, at + 4, value >>> 0)
}

export function readInt53(bytes: Uint8Array, at: number): number {
  return (readUint32(bytes, at) | 0) * 0x100000000 + readUint32(bytes, at + 4)
}
