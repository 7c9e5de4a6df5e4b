/**
 * Properties of a message as record headers, from bytes to bytes:
 *
 *   [expires-at] [exchange] texts, as they are [delivery-mode] [priority] [timestamp] | entries of the table [more keys]
 *
 * A plain table is one that record headers tell in full: long strings with names of their own. Its entries are copied one by one.
 */
// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import {
  BROKER_HEADER_PREFIX,
  digitCount,
  type EncodedHeaders,
  encodeName,
  encodeText,
  type HeaderWriter,
  messageProperties,
  MORE_KEYS_HEADER,
  writeDigits,
} from '@millrace/wire'
import { ByteNames, isAmong, isAscii } from './codec/byte-names.ts'
import { readUint32 } from './codec/field-types.ts'
import { isSame } from './codec/hot-methods.ts'
import { type Properties, PROPERTY, type PropertyName } from './codec/properties.ts'
import { tableHeaders } from './table-headers.ts'

/** Constants cost no look-up. */
const EXPIRATION: number = PROPERTY.expiration
const DELIVERY_MODE: number = PROPERTY.deliveryMode
const PRIORITY: number = PROPERTY.priority
const TIMESTAMP: number = PROPERTY.timestamp
const HEADERS: number = PROPERTY.headers
const PERSISTENT = 2
const NOTHING: Uint8Array = new Uint8Array(0)
const LONG_STRING = 'S'.charCodeAt(0)
const LONG_STRING_LENGTH_BYTES = 4
/** Room for the digits of `expires-at`, from the year 2001 to 2286. */
const EXPIRY_DIGITS: Uint8Array = encodeText('0000000000000')
/** Beyond this the search for names that come twice is slow. */
const PLAIN_ENTRIES_MAX = 16

const names = {
  expiresAt: encodeText(messageProperties.expiresAt),
  exchange: encodeText(messageProperties.exchange),
  deliveryMode: encodeText(messageProperties.deliveryMode),
  priority: encodeText(messageProperties.priority),
  timestamp: encodeText(messageProperties.timestamp),
  moreKeys: encodeText(MORE_KEYS_HEADER),
} as const

/** Properties that are text in both forms. */
const texts: readonly { readonly property: number; readonly name: Uint8Array }[] = (
  [
    'contentType',
    'contentEncoding',
    'correlationId',
    'replyTo',
    'messageId',
    'type',
    'userId',
    'appId',
    'clusterId',
  ] as const satisfies readonly PropertyName[]
).map((property) => ({ property: PROPERTY[property], name: encodeText(messageProperties[property]) }))

/** Names that entries of a plain table do not have, beside those that begin with BROKER_HEADER_PREFIX. */
const reserved = new ByteNames([...Object.values(messageProperties), 'CC', 'BCC'])
const brokerPrefix: Uint8Array = encodeText(BROKER_HEADER_PREFIX)

/** Where the names of the entries begin and end. */
const nameRanges = new Int32Array(2 * PLAIN_ENTRIES_MAX)

/**
 * @param exchange its name in the core, '' for the default one
 * @param isPlain whether the table is (`isPlainTable`)
 * @param moreKeys by which it is routed as well, and consumers may know
 */
export function writeIncoming(
  writer: HeaderWriter,
  properties: Properties,
  exchange: string,
  isPlain: boolean,
  moreKeys: readonly string[],
): EncodedHeaders {
  const { bytes } = properties
  const hasExpiry = properties.has(EXPIRATION)
  writer.begin()
  if (hasExpiry) writer.add(names.expiresAt, EXPIRY_DIGITS, 0, EXPIRY_DIGITS.length)
  if (exchange !== '') addWhole(writer, names.exchange, encodeName(exchange))
  for (let n = 0; n < texts.length; n++) {
    const { property, name } = texts[n]!
    if (!properties.has(property)) continue
    const at = properties.at(property)
    writer.add(name, bytes, at, properties.end(property) - at)
  }
  if (!properties.has(DELIVERY_MODE)) writer.add(names.deliveryMode, NOTHING, 0, 0)
  else if (properties.octet(DELIVERY_MODE) !== PERSISTENT) writer.addDigits(names.deliveryMode, properties.octet(DELIVERY_MODE))
  if (properties.has(PRIORITY)) writer.addDigits(names.priority, properties.octet(PRIORITY))
  if (properties.has(TIMESTAMP)) addTimestamp(writer, properties)
  if (properties.has(HEADERS)) {
    if (isPlain) addPlainTable(writer, bytes, properties.at(HEADERS), properties.end(HEADERS))
    else for (const { name, value } of tableHeaders(properties.content(HEADERS))) addWhole(writer, name, value)
    if (moreKeys.length > 0) addWhole(writer, names.moreKeys, encodeText(JSON.stringify(moreKeys)))
  }
  return writer.finish(hasExpiry)
}

/** The headers, of which the first is `expires-at`, with another time. They are changed in place unless its length is another. */
export function withExpiry(headers: EncodedHeaders, expiresMs: number): EncodedHeaders {
  const { bytes, at, firstAt, end } = headers
  // Both lengths before it are of one byte.
  const valueAt = firstAt + 1 + names.expiresAt.length + 1
  const length = bytes[valueAt - 1]! >>> 1
  const digits = digitCount(expiresMs)
  if (digits === length) {
    writeDigits(bytes, valueAt, expiresMs, digits)
    return headers
  }
  const changed = new Uint8Array(end - at + digits - length)
  changed.set(bytes.subarray(at, valueAt - 1))
  changed[valueAt - 1 - at] = digits << 1
  changed.set(bytes.subarray(valueAt + length, end), writeDigits(changed, valueAt - at, expiresMs, digits))
  return { bytes: changed, at: 0, firstAt: firstAt - at, end: changed.length, hasExpiry: true }
}

function addWhole(writer: HeaderWriter, name: Uint8Array, value: Uint8Array): void {
  writer.add(name, value, 0, value.length)
}

/** Seconds become milliseconds. */
function addTimestamp(writer: HeaderWriter, properties: Properties): void {
  const at = properties.at(TIMESTAMP)
  const seconds = readUint32(properties.bytes, at) * 4_294_967_296 + readUint32(properties.bytes, at + 4)
  if (seconds <= Number.MAX_SAFE_INTEGER) writer.addDigits(names.timestamp, seconds, 3)
  else addWhole(writer, names.timestamp, encodeText(String(properties.timestamp() * 1000n)))
}

// ---- plain tables ---------------------------------------------------------------------------------------------------

/**
 * Whether record headers tell all of the table, as far as that is seen at a glance: other tables, those with text beyond ASCII among
 * them, are looked at by `tableHeaders`.
 */
export function isPlainTable(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start
  let entries = 0
  while (at < end) {
    const nameAt = at + 1
    const typeAt = nameAt + bytes[at]!
    const contentAt = typeAt + 1 + LONG_STRING_LENGTH_BYTES
    if (contentAt > end || entries === PLAIN_ENTRIES_MAX || bytes[typeAt] !== LONG_STRING) return false
    at = contentAt + readUint32(bytes, typeAt + 1)
    if (at > end || !isAscii(bytes, nameAt, typeAt) || !isAscii(bytes, contentAt, at)) return false
    if (isReserved(bytes, nameAt, typeAt) || isAmong(bytes, nameRanges, entries, nameAt, typeAt)) return false
    nameRanges[2 * entries] = nameAt
    nameRanges[2 * entries + 1] = typeAt
    entries++
  }
  return entries > 0
}

function isReserved(bytes: Uint8Array, at: number, end: number): boolean {
  const length = end - at
  if (length >= brokerPrefix.length && isSame(bytes, at, brokerPrefix, brokerPrefix.length)) return true
  return reserved.indexOf(bytes, at, length) >= 0
}

/** @param start of a table that is plain */
function addPlainTable(writer: HeaderWriter, bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end;) {
    const nameAt = at + 1
    const typeAt = nameAt + bytes[at]!
    const contentAt = typeAt + 1 + LONG_STRING_LENGTH_BYTES
    at = contentAt + readUint32(bytes, typeAt + 1)
    writer.addNamed(bytes, nameAt, typeAt - nameAt, bytes, contentAt, at - contentAt)
  }
}
