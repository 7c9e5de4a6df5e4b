// hot path (packages/broker/test/kafka/throughput.mjs)
import { ARRAY_ELEMENTS_MAX } from './limits.ts'

/** The bytes are no message of that kind. */
export class MessageFormatError extends Error {
  override readonly name = 'MessageFormatError'
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Up to this length a loop is faster than the platform's decoder. */
const SHORT_BYTES = 48
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Reads the primitive types of the Kafka protocol. Never reads past `end`. All methods throw MessageFormatError. */
export class MessageReader {
  readonly bytes: Uint8Array
  readonly #view: DataView
  at: number
  end: number

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.at = start
    this.end = end
  }

  get left(): number {
    return this.end - this.at
  }

  bool(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    return this.#view.getInt8(this.#take(1))
  }

  int16(): number {
    return this.#view.getInt16(this.#take(2))
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2))
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4))
  }

  int64(): number {
    const at = this.#take(8)
    return this.#view.getInt32(at) * 4_294_967_296 + this.#view.getUint32(at + 4)
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8))
  }

  uuid(): string {
    const at = this.#take(16)
    let text = ''
    for (let n = at; n < at + 16; n++) text += HEX[this.bytes[n]!]!
    return text
  }

  /** Up to 32 bits. */
  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.#take(1)]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break
        return value
      }
    }
    throw new MessageFormatError('a varint of more than 32 bits')
  }

  /** A length as `int16`, -1 for null. */
  length16(): number {
    return this.#checkLength(this.int16())
  }

  /** A length as `int32`, -1 for null. */
  length32(): number {
    return this.#checkLength(this.int32())
  }

  /** A length as `uvarint`, one more than it is; 0 for null. */
  lengthCompact(): number {
    return this.#checkLength(this.uvarint() - 1)
  }

  /** A count of elements, already read. -1 for null. */
  checkCount(count: number): number {
    if (count < -1 || count > ARRAY_ELEMENTS_MAX || count > this.left) {
      throw new MessageFormatError(`an array claims ${count} elements, and ${this.left} bytes are left`)
    }
    return count
  }

  text(length: number): string {
    const start = this.#take(length)
    const { bytes } = this
    if (length <= SHORT_BYTES) {
      let text = ''
      let n = start
      for (; n < this.at && bytes[n]! < 0x80; n++) text += String.fromCharCode(bytes[n]!)
      if (n === this.at) return text
    }
    try {
      return strictDecoder.decode(bytes.subarray(start, this.at))
    } catch {
      throw new MessageFormatError('a text is not UTF-8')
    }
  }

  /** A view. */
  view(length: number): Uint8Array {
    const start = this.#take(length)
    return this.bytes.subarray(start, this.at)
  }

  skip(length: number): void {
    this.#take(length)
  }

  #checkLength(length: number): number {
    if (length < -1 || length > this.left) {
      throw new MessageFormatError(`a field claims ${length} bytes, and ${this.left} are left`)
    }
    return length
  }

  #take(bytes: number): number {
    const { at } = this
    if (at + bytes > this.end) throw new MessageFormatError(`the message ends ${at + bytes - this.end} bytes early`)
    this.at = at + bytes
    return at
  }
}
