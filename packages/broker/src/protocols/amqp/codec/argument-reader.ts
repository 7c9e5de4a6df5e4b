import { AmqpError } from '../amqp-error.ts'
import { decodeTable } from './field-table.ts'
import type { FieldTable } from './field-table.ts'
import { readUint32 } from './field-types.ts'
import type { FieldKind, FieldKinds } from './methods.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Up to this length a loop is faster than the platform's decoder. */
const SHORT_BYTES = 48

/** Reads the arguments of a method. Never reads past `end`. All methods throw AmqpError `syntax-error`. */
export class ArgumentReader implements Readers {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number
  /** Where in the octet before `#at` the last bit was; 0 when the next one begins an octet. */
  #bit = 0

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  get left(): number {
    return this.#end - this.#at
  }

  octet(): number {
    return this.#bytes[this.#take(1)]!
  }

  short(): number {
    const at = this.#take(2)
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!
  }

  long(): number {
    return readUint32(this.#bytes, this.#take(4))
  }

  longlong(): number {
    const at = this.#take(8)
    return readUint32(this.#bytes, at) * 4_294_967_296 + readUint32(this.#bytes, at + 4)
  }

  timestamp(): number {
    return this.longlong()
  }

  shortstr(): string {
    const length = this.octet()
    const at = this.#take(length)
    return readText(this.#bytes, at, at + length)
  }

  longstr(): Uint8Array {
    const length = this.long()
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** Bits that follow each other share an octet, from its lowest bit on. */
  bit(): boolean {
    const mask = this.#bit === 0 || this.#bit === 0x80 ? 1 : this.#bit << 1
    if (mask === 1) this.#take(1)
    this.#bit = mask
    return (this.#bytes[this.#at - 1]! & mask) !== 0
  }

  table(): FieldTable {
    const length = this.long()
    const at = this.#take(length)
    return decodeTable(this.#bytes, at, at + length)
  }

  #take(length: number): number {
    const at = this.#at
    if (length > this.#end - at) throw new AmqpError('syntax-error', 'arguments end early')
    this.#at = at + length
    this.#bit = 0
    return at
  }
}

type Readers = { [Kind in FieldKind]: () => FieldKinds[Kind] }

/** @throws AmqpError `syntax-error` when it is not UTF-8 */
export function readText(bytes: Uint8Array, at: number, end: number): string {
  if (end - at <= SHORT_BYTES) {
    let text = ''
    let n = at
    for (; n < end && bytes[n]! < 0x80; n++) text += String.fromCharCode(bytes[n]!)
    if (n === end) return text
  }
  try {
    return decoder.decode(bytes.subarray(at, end))
  } catch (error) {
    throw new AmqpError('syntax-error', `a text is not UTF-8: ${String(error)}`)
  }
}
