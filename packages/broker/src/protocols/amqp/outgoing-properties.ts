/**
 * Headers of a record as AMQP properties, from bytes to bytes: those that are properties in the order of the wire, others as long strings of
 * the table. `outgoing-form.ts` does the same for every record; here it is said of the usual ones.
 */
// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import {
  BROKER_HEADER_PREFIX,
  copyBytes,
  DELAY_HEADER,
  digitCount,
  encodeText,
  messageProperties,
  readDigits,
  readPriority,
  Slab,
  writeDigits,
} from '@millrace/wire'
import { ByteNames, isAmong, isAscii } from './codec/byte-names.ts'
import { isSame, writeUint32 } from './codec/hot-methods.ts'
import { PROPERTY, propertyNames, type PropertyName } from './codec/properties.ts'

/** Constants cost no look-up. */
const EXPIRATION: number = PROPERTY.expiration
const DELIVERY_MODE: number = PROPERTY.deliveryMode
const PRIORITY: number = PROPERTY.priority
const TIMESTAMP: number = PROPERTY.timestamp
const HEADERS: number = PROPERTY.headers
const LENGTH_MAX = 0xff
const OCTET_MAX = 0xff
const PERSISTENT = 2
const FLAGS_BYTES = 2
const PROPERTIES: number = propertyNames.length
const FIRST_FLAG = 0x8000
const LONG_STRING = 'S'.charCodeAt(0)
const ENTRIES_MAX = 16
/** So many decimal digits are exact in a number. */
const EXACT_DIGITS = 15
/** What properties take beyond the headers that they are made of: flags, delivery mode, length of the table; digits of `expiration`. */
const MORE_BYTES = FLAGS_BYTES + 1 + 4 + 1 + EXACT_DIGITS
/** An entry has a type and a length of four bytes instead of one. */
const MORE_ENTRY_BYTES = 4

/** Headers and the properties that they are; what is not in it is no property. */
const properties: readonly (readonly [header: string, property: PropertyName])[] = [
  [messageProperties.contentType, 'contentType'],
  [messageProperties.contentEncoding, 'contentEncoding'],
  [messageProperties.deliveryMode, 'deliveryMode'],
  [messageProperties.priority, 'priority'],
  [messageProperties.correlationId, 'correlationId'],
  [messageProperties.replyTo, 'replyTo'],
  [messageProperties.expiresAt, 'expiration'],
  [messageProperties.messageId, 'messageId'],
  [messageProperties.timestamp, 'timestamp'],
  [messageProperties.type, 'type'],
  [messageProperties.userId, 'userId'],
  [messageProperties.appId, 'appId'],
  [messageProperties.clusterId, 'clusterId'],
]
const propertyOf: readonly number[] = properties.map(([, property]) => PROPERTY[property])
/** Those behind the exchange are never usual: what has waited is told as a number. */
const names = new ByteNames([
  ...properties.map(([header]) => header),
  messageProperties.exchange,
  messageProperties.amqpHeaders,
  DELAY_HEADER,
])
const EXCHANGE: number = properties.length
const brokerPrefix: Uint8Array = encodeText(BROKER_HEADER_PREFIX)

export class OutgoingProperties {
  /** Where the header `exchange` is, from the beginning of the headers; -1 and 0 for none. */
  exchangeAt = -1
  exchangeLength = 0
  expirationMs: number | undefined
  /** Where the digits of `expires-at` are, likewise. */
  expiryAt = -1
  expiryDigits = 0
  readonly #slab = new Slab()
  /** Flags of the properties that are there; and of each where its header's value is. */
  #present = 0
  readonly #at = new Int32Array(propertyNames.length)
  readonly #end = new Int32Array(propertyNames.length)
  #entries = 0
  /** Of the entries: where names begin and end, and values. */
  readonly #names = new Int32Array(2 * ENTRIES_MAX)
  readonly #values = new Int32Array(2 * ENTRIES_MAX)

  /**
   * @param start where the headers of a record begin, with their count
   * @returns flags and properties, which stay as they are; undefined for what is not usual: several headers with one name, values that
   *   are no property, text beyond ASCII in others, deaths, delays
   */
  translate(bytes: Uint8Array, start: number, end: number, timestampMs: number): Uint8Array | undefined {
    this.#clear()
    if (!this.#findHeaders(bytes, start, end)) return undefined
    this.expirationMs = this.#has(EXPIRATION) ? this.#number(bytes, EXPIRATION) - timestampMs : undefined
    const written = this.#write(bytes, end - start)
    if (this.exchangeAt >= 0) this.exchangeAt -= start
    if (this.expirationMs !== undefined) {
      this.expiryAt = this.#at[EXPIRATION]! - start
      this.expiryDigits = this.#length(EXPIRATION)
    }
    return written
  }

  #clear(): void {
    this.#present = this.#entries = this.exchangeLength = this.expiryDigits = 0
    this.exchangeAt = this.expiryAt = -1
  }

  // ---- reading ----------------------------------------------------------------------------------------------------------

  #findHeaders(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start + 1
    const count = readLength(bytes, start, 1)
    if (count < 0) return false
    for (let n = 0; n < count; n++) {
      const nameAt = at + 1
      const nameLength = at < end ? readLength(bytes, at, 1) : -1
      const nameEnd = nameAt + nameLength
      if (nameLength < 0 || nameEnd >= end) return false
      const lengthBytes = bytes[nameEnd]! < 0x80 ? 1 : 2
      const valueAt = nameEnd + lengthBytes
      const length = valueAt <= end ? readLength(bytes, nameEnd, lengthBytes) : -1
      at = valueAt + length
      if (length < 0 || at > end || !this.#take(bytes, nameAt, nameEnd, valueAt, at)) return false
    }
    return at === end
  }

  #take(bytes: Uint8Array, nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): boolean {
    const name = names.indexOf(bytes, nameAt, nameEnd - nameAt)
    if (name < 0) return this.#takeEntry(bytes, nameAt, nameEnd, valueAt, valueEnd)
    if (name === EXCHANGE) {
      if (this.exchangeAt >= 0) return false
      this.exchangeAt = valueAt
      this.exchangeLength = valueEnd - valueAt
      return true
    }
    const property = propertyOf[name]
    if (property === undefined || this.#has(property)) return false
    this.#at[property] = valueAt
    this.#end[property] = valueEnd
    this.#present |= FIRST_FLAG >> property
    return this.#isUsual(bytes, property)
  }

  #takeEntry(bytes: Uint8Array, nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): boolean {
    const entries = this.#entries
    if (entries === ENTRIES_MAX || !isAscii(bytes, nameAt, nameEnd) || !isAscii(bytes, valueAt, valueEnd)) return false
    if (nameEnd - nameAt >= brokerPrefix.length && isSame(bytes, nameAt, brokerPrefix, brokerPrefix.length)) return false
    if (isAmong(bytes, this.#names, entries, nameAt, nameEnd)) return false
    this.#names[2 * entries] = nameAt
    this.#names[2 * entries + 1] = nameEnd
    this.#values[2 * entries] = valueAt
    this.#values[2 * entries + 1] = valueEnd
    this.#entries++
    return true
  }

  /** Whether the value is one that the property has. */
  #isUsual(bytes: Uint8Array, property: number): boolean {
    const length = this.#length(property)
    switch (property) {
      case DELIVERY_MODE:
        return length === 0 || this.#number(bytes, property) <= OCTET_MAX
      case PRIORITY:
        return readPriority(bytes, this.#at[property], length) !== undefined
      case TIMESTAMP:
      case EXPIRATION:
        return length <= EXACT_DIGITS && this.#number(bytes, property) >= 0
      default:
        return length <= LENGTH_MAX
    }
  }

  #has(property: number): boolean {
    return (this.#present & (FIRST_FLAG >> property)) !== 0
  }

  #length(property: number): number {
    return this.#end[property]! - this.#at[property]!
  }

  /** NaN for what is none. */
  #number(bytes: Uint8Array, property: number): number {
    return readDigits(bytes, this.#at[property]!, this.#end[property]!)
  }

  // ---- writing ----------------------------------------------------------------------------------------------------------

  #write(bytes: Uint8Array, headersBytes: number): Uint8Array {
    const slab = this.#slab
    slab.reserve(slab.at, headersBytes + MORE_BYTES + MORE_ENTRY_BYTES * this.#entries)
    const out = slab.bytes
    const start = slab.at
    let flags = 0
    let at = start + FLAGS_BYTES
    for (let property = 0; property < PROPERTIES; property++) {
      const before = at
      at = this.#writeProperty(out, at, bytes, property)
      if (at > before) flags |= FIRST_FLAG >> property
    }
    out[start] = flags >>> 8
    out[start + 1] = flags
    slab.at = at
    slab.release()
    return out.subarray(start, at)
  }

  /** @returns where it ends: where it begins when there is none */
  #writeProperty(out: Uint8Array, at: number, bytes: Uint8Array, property: number): number {
    if (property === HEADERS) return this.#entries === 0 ? at : this.#writeTable(out, at, bytes)
    if (property === DELIVERY_MODE) return this.#writeDeliveryMode(out, at, bytes)
    if (!this.#has(property)) return at
    switch (property) {
      case PRIORITY:
        out[at] = this.#number(bytes, property)
        return at + 1
      case TIMESTAMP: {
        const seconds = Math.floor(this.#number(bytes, property) / 1000)
        return writeUint32(out, writeUint32(out, at, Math.floor(seconds / 4_294_967_296)), seconds >>> 0)
      }
      case EXPIRATION: {
        const ms = Math.max(this.expirationMs!, 0)
        const digits = digitCount(ms)
        out[at] = digits
        return writeDigits(out, at + 1, ms, digits)
      }
      default:
        out[at] = this.#length(property)
        return copy(out, at + 1, bytes, this.#at[property]!, this.#end[property]!)
    }
  }

  #writeDeliveryMode(out: Uint8Array, at: number, bytes: Uint8Array): number {
    if (!this.#has(DELIVERY_MODE)) out[at] = PERSISTENT
    else if (this.#length(DELIVERY_MODE) === 0) return at
    else out[at] = this.#number(bytes, DELIVERY_MODE)
    return at + 1
  }

  #writeTable(out: Uint8Array, start: number, bytes: Uint8Array): number {
    let at = start + 4
    for (let n = 0; n < this.#entries; n++) {
      const nameAt = this.#names[2 * n]!
      const nameEnd = this.#names[2 * n + 1]!
      const valueAt = this.#values[2 * n]!
      const valueEnd = this.#values[2 * n + 1]!
      out[at] = nameEnd - nameAt
      at = copy(out, at + 1, bytes, nameAt, nameEnd)
      out[at] = LONG_STRING
      at = copy(out, writeUint32(out, at + 1, valueEnd - valueAt), bytes, valueAt, valueEnd)
    }
    writeUint32(out, start, at - start - 4)
    return at
  }
}

function copy(to: Uint8Array, toAt: number, bytes: Uint8Array, at: number, end: number): number {
  return copyBytes(to, toAt, bytes, at, end - at)
}

/** A zigzag varint of one or two bytes. @returns -1 for one that is longer, or no length */
function readLength(bytes: Uint8Array, at: number, size: number): number {
  const low = bytes[at]!
  if ((low & 1) !== 0 || low >= 0x80 !== size > 1) return -1
  if (size === 1) return low >>> 1
  const high = bytes[at + 1]!
  return high >= 0x80 ? -1 : ((low & 0x7f) | (high << 7)) >>> 1
}
