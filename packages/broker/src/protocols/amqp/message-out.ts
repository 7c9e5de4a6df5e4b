// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import { encodeName, readHeaders, type RecordCursor } from '@millrace/wire'
import type { EncodedMessage } from './codec/deliveries.ts'
import { encodeTable, longValue, type PlainTable } from './codec/field-table.ts'
import { encodeProperties } from './codec/properties.ts'
import { withoutEntries } from './codec/table-view.ts'
import { type OutgoingForm, outgoingForm, readDigits } from './outgoing-form.ts'

const SHORT_STRING_BYTES_MAX = 255
const EMPTY: Uint8Array = new Uint8Array(0)

/** What the broker says of one delivery, as headers. */
export interface DeliveryHeaders {
  /** How often it was delivered before. */
  readonly deliveryCount?: number
  /** Its place in a stream. */
  readonly streamOffset?: number
}

const additionNames: ReadonlySet<string> = new Set(['x-delivery-count', 'x-stream-offset'])

/**
 * Records as AMQP messages: exchange, routing key and properties, encoded. Records that follow each other often have the same
 * headers, and these are made once.
 */
export class MessagesOut implements EncodedMessage {
  /** Of the record that was read last. They are not changed afterwards: each record has its own, or that of the one before. */
  address: Uint8Array = EMPTY
  properties: Uint8Array = EMPTY
  #form: OutgoingForm | undefined
  /** The headers that `#form` was made of, as they lay in the record. */
  #headers: Uint8Array = EMPTY
  #plain: Uint8Array = EMPTY
  /** What `address` was made of. */
  #exchange: Uint8Array = EMPTY
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
    const form = this.#form
    const headers = this.#headers
    if (form === undefined || end - headersAt !== headers.length) return false
    if (form.expiryAt < 0) return isSameRange(batch, headersAt, headers, 0, headers.length)
    const expiryEnd = form.expiryAt + form.expiryDigits
    if (!isSameRange(batch, headersAt, headers, 0, form.expiryAt)) return false
    if (!isSameRange(batch, headersAt, headers, expiryEnd, headers.length)) return false
    return readDigits(batch, headersAt + form.expiryAt, headersAt + expiryEnd) - timestampMs === form.expirationMs
  }

  #make({ batch, headersAt, end, timestampMs }: RecordCursor): void {
    this.#headers = batch.slice(headersAt, end)
    const headers = readHeaders(this.#headers, 0, this.#headers.length)
    this.#form = outgoingForm(headers, timestampMs, this.#headers)
    this.#plain = encodeProperties(this.#form.values)
  }

  #withAdditions({ deliveryCount, streamOffset }: DeliveryHeaders): Uint8Array {
    const { values } = this.#form!
    const added: PlainTable = {
      'x-delivery-count': deliveryCount === undefined ? undefined : longValue(deliveryCount),
      'x-stream-offset': streamOffset === undefined ? undefined : longValue(streamOffset),
    }
    const before = values.headers === undefined ? EMPTY : withoutEntries(values.headers, additionNames)
    return encodeProperties({ ...values, headers: joined(before, encodeTable(added)) })
  }

  #readAddress({ batch, keyAt, keyLength }: RecordCursor, queue: string): void {
    const { exchange } = this.#form!
    const isOwn = keyLength >= 0 && keyLength <= SHORT_STRING_BYTES_MAX
    const other = exchange.length === 0 ? encodeName(queue) : EMPTY
    const key = isOwn ? batch : other
    const at = isOwn ? keyAt : 0
    const length = isOwn ? keyLength : Math.min(other.length, SHORT_STRING_BYTES_MAX)
    if (exchange === this.#exchange && length === this.#key.length && isSameRange(key, at, this.#key, 0, length)) {
      if (this.address.length > 0) return
    }
    this.#exchange = exchange
    const address = new Uint8Array(exchange.length + length + 2)
    address[0] = exchange.length
    address.set(exchange, 1)
    address[exchange.length + 1] = length
    for (let n = 0; n < length; n++) address[exchange.length + 2 + n] = key[at + n]!
    this.address = address
    this.#key = address.subarray(exchange.length + 2)
  }
}

/** Whether `other` has the same bytes from `from` to `end` as `bytes`, in which its beginning is at `at`. */
function isSameRange(bytes: Uint8Array, at: number, other: Uint8Array, from: number, end: number): boolean {
  for (let n = from; n < end; n++) if (bytes[at + n] !== other[n]) return false
  return true
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length)
  whole.set(a)
  whole.set(b, a.length)
  return whole
}
