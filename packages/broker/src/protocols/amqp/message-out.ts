// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import { copyBytes, encodeName, readDigits, readHeaders, type RecordCursor } from '@millrace/wire'
import type { EncodedMessage } from './codec/deliveries.ts'
import { encodeProperties } from './codec/properties.ts'
import { type DeliveryHeaders, withDeliveryHeaders } from './delivery-headers.ts'
import { nameInVhost, type OutgoingForm, outgoingForm } from './outgoing-form.ts'
import { OutgoingProperties } from './outgoing-properties.ts'

const SHORT_STRING_BYTES_MAX = 255
const EMPTY: Uint8Array = new Uint8Array(0)
/** Of no header. */
const NOT_KNOWN: Uint8Array = new Uint8Array(0)
/** Headers that are a little longer need no other buffer. */
const SPARE_BYTES = 64

/**
 * Records as AMQP messages: exchange, routing key and properties, encoded. Records that follow each other often have the same
 * headers, and these are made once; where each has its own, they go from bytes to bytes.
 */
export class MessagesOut implements EncodedMessage {
  /** Of the record that was read last. They are not changed afterwards: each record has its own, or that of the one before. */
  address: Uint8Array = EMPTY
  properties: Uint8Array = EMPTY
  readonly #translated = new OutgoingProperties()
  /** Headers as they lay in the record that was read last, and the timestamp of that which they were read from. */
  #headers: Uint8Array = EMPTY
  #headersLength = -1
  #timestampMs = 0
  /** What they are in AMQP; decoded only where they have to be. */
  #form: OutgoingForm | undefined
  #plain: Uint8Array = EMPTY
  #expirationMs: number | undefined
  #expiryAt = -1
  #expiryDigits = 0
  /** The header `exchange`, and the name that it is. */
  #exchangeHeader: Uint8Array = EMPTY
  #exchange: Uint8Array = EMPTY
  /** What `address` was made of. */
  #addressExchange: Uint8Array = EMPTY
  #key: Uint8Array = EMPTY

  /**
   * @param record where a cursor stands
   * @param queue name of the queue that it comes from, which is the routing key of what has none
   * @throws BatchFormatError
   */
  read(record: RecordCursor, queue: string, additions?: DeliveryHeaders): void {
    if (!this.#isSameForm(record)) this.#make(record)
    this.properties = additions === undefined ? this.#plain : this.#withAdditions(additions)
    this.#readAddress(record, queue)
  }

  #isSameForm({ batch, headersAt, end, timestampMs }: RecordCursor): boolean {
    const headers = this.#headers
    const length = this.#headersLength
    if (end - headersAt !== length) return false
    if (this.#expirationMs === undefined) return isSameRange(batch, headersAt, headers, 0, length)
    const expiryEnd = this.#expiryAt + this.#expiryDigits
    if (!isSameRange(batch, headersAt, headers, expiryEnd, length)) return false
    if (!isSameRange(batch, headersAt, headers, 0, this.#expiryAt)) return false
    return readDigits(batch, headersAt + this.#expiryAt, headersAt + expiryEnd) - timestampMs === this.#expirationMs
  }

  #make({ batch, headersAt, end, timestampMs }: RecordCursor): void {
    const length = end - headersAt
    // What was decoded are views of the headers.
    if (this.#form !== undefined || this.#headers.length < length) this.#headers = new Uint8Array(length + SPARE_BYTES)
    this.#form = undefined
    this.#headersLength = -1
    copyBytes(this.#headers, 0, batch, headersAt, length)
    this.#timestampMs = timestampMs
    const translated = this.#translated
    const properties = translated.translate(this.#headers, 0, length, timestampMs)
    if (properties === undefined) this.#decode(length)
    else {
      this.#plain = properties
      this.#expirationMs = translated.expirationMs
      this.#expiryAt = translated.expiryAt
      this.#expiryDigits = translated.expiryDigits
      this.#nameExchange(translated.exchangeAt, translated.exchangeLength)
    }
    this.#headersLength = length
  }

  #decode(length: number): void {
    const form = this.#decoded(length)
    this.#plain = encodeProperties(form.values)
    this.#expirationMs = form.expirationMs
    this.#expiryAt = form.expiryAt
    this.#expiryDigits = form.expiryDigits
    this.#exchange = form.exchange
    this.#exchangeHeader = NOT_KNOWN
  }

  #decoded(length: number): OutgoingForm {
    const headers = this.#headers
    return (this.#form ??= outgoingForm(readHeaders(headers, 0, length), this.#timestampMs, headers))
  }

  /** @param at where the name is in the headers, with its virtual host; -1 for none */
  #nameExchange(at: number, length: number): void {
    if (at < 0 || length === 0) {
      this.#exchange = this.#exchangeHeader = EMPTY
      return
    }
    const known = this.#exchangeHeader
    if (known.length === length && isSameRange(this.#headers, at, known, 0, length)) return
    this.#exchangeHeader = this.#headers.slice(at, at + length)
    this.#exchange = nameInVhost(this.#exchangeHeader)
  }

  #withAdditions(additions: DeliveryHeaders): Uint8Array {
    return encodeProperties(withDeliveryHeaders(this.#decoded(this.#headersLength).values, additions))
  }

  #readAddress({ batch, keyAt, keyLength }: RecordCursor, queue: string): void {
    const exchange = this.#exchange
    const isOwn = keyLength >= 0 && keyLength <= SHORT_STRING_BYTES_MAX
    const other = exchange.length === 0 ? encodeName(queue) : EMPTY
    const key = isOwn ? batch : other
    const at = isOwn ? keyAt : 0
    const length = isOwn ? keyLength : Math.min(other.length, SHORT_STRING_BYTES_MAX)
    if (exchange === this.#addressExchange && length === this.#key.length && isSameRange(key, at, this.#key, 0, length)) {
      if (this.address.length > 0) return
    }
    this.#addressExchange = exchange
    const address = new Uint8Array(exchange.length + length + 2)
    address[0] = exchange.length
    address.set(exchange, 1)
    address[exchange.length + 1] = length
    for (let n = 0; n < length; n++) address[exchange.length + 2 + n] = key[at + n]!
    this.address = address
    this.#key = address.subarray(exchange.length + 2)
  }
}

/**
 * Whether `other` has the same bytes from `from` to `end` as `bytes`, in which its beginning is at `at`. Compared backwards: what each message
 * has for itself, an id or a time, is near the end.
 */
function isSameRange(bytes: Uint8Array, at: number, other: Uint8Array, from: number, end: number): boolean {
  for (let n = end - 1; n >= from; n--) if (bytes[at + n] !== other[n]) return false
  return true
}
