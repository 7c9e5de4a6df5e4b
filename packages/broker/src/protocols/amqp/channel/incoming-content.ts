// hot path (packages/broker/test/amqp/throughput.mjs)
import { AmqpError } from '../amqp-error.ts'
import { PROPERTIES_AT, readBodySize } from '../codec/properties.ts'

const EMPTY: Uint8Array = new Uint8Array(0)
/** Memory is taken as it is filled, not as it is announced. */
const FIRST_BYTES = 65_536

/**
 * The content behind a `basic.publish`: a header, and body frames. A body that comes in one frame is shown where it is; others are gathered.
 * What is shown is borrowed until the next call.
 */
export class IncomingContent {
  #expects: 'method' | 'header' | 'body' = 'method'
  #size = 0
  #gathered: Uint8Array = EMPTY
  #gatheredBytes = 0
  readonly #bodyBytesMax: number
  /** Of the whole body. */
  bytes: Uint8Array = EMPTY
  at = 0
  length = 0

  constructor(bodyBytesMax: number) {
    this.#bodyBytesMax = bodyBytesMax
  }

  get isExpected(): boolean {
    return this.#expects !== 'method'
  }

  /** A method announced content. */
  begin(): void {
    this.#expects = 'header'
  }

  /** @returns where flags and properties are in the payload @throws AmqpError */
  header(bytes: Uint8Array, at: number, end: number): number {
    if (this.#expects !== 'header') throw unexpected(this.#expects, 'a content header')
    const size = readBodySize(bytes, at, end)
    if (size > this.#bodyBytesMax) {
      throw new AmqpError('precondition-failed', `message size ${size} is larger than configured max size ${this.#bodyBytesMax}`)
    }
    this.#size = size
    this.#gatheredBytes = 0
    this.#expects = 'body'
    return at + PROPERTIES_AT
  }

  /** Whether the message ends with its header. */
  endsAtHeader(): boolean {
    if (this.#size > 0) return false
    this.#end(EMPTY, 0)
    return true
  }

  /** @returns whether the body is complete @throws AmqpError */
  body(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.#expects !== 'body') throw unexpected(this.#expects, 'a content body')
    const length = end - at
    const left = this.#size - this.#gatheredBytes
    if (length > left)
      throw new AmqpError(
        'unexpected-frame',
        `a content body of ${this.#gatheredBytes + length} bytes, and ${this.#size} were announced`,
      )
    if (length === this.#size) {
      this.#end(bytes, at)
      return true
    }
    this.#gather(bytes, at, length)
    if (length < left) return false
    this.#end(this.#gathered, 0)
    // Large ones do not stay with the channel.
    if (this.#gathered.length > FIRST_BYTES) this.#gathered = EMPTY
    return true
  }

  #end(bytes: Uint8Array, at: number): void {
    this.bytes = bytes
    this.at = at
    this.length = this.#size
    this.#expects = 'method'
  }

  #gather(bytes: Uint8Array, at: number, length: number): void {
    const needed = this.#gatheredBytes + length
    if (needed > this.#gathered.length) {
      const capacity = Math.min(this.#size, Math.max(needed, FIRST_BYTES, this.#gathered.length * 2))
      const grown = new Uint8Array(capacity)
      grown.set(this.#gathered.subarray(0, this.#gatheredBytes))
      this.#gathered = grown
    }
    this.#gathered.set(bytes.subarray(at, at + length), this.#gatheredBytes)
    this.#gatheredBytes = needed
  }
}

function unexpected(expected: string, got: string): AmqpError {
  const what = expected === 'method' ? 'a method' : `a content ${expected}`
  return new AmqpError('unexpected-frame', `expected ${what}, got ${got}`)
}
