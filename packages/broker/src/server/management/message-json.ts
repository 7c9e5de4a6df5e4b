import { readHeaders, RecordCursor } from '@millrace/wire'
import type { Delivery } from '../../core/broker.ts'
import { decodeTable, encodeTable, type PlainTable } from '../../protocols/amqp/codec/field-table.ts'
import {
  encodeProperties,
  Properties,
  PROPERTY,
  type PropertyName,
  propertyNames,
} from '../../protocols/amqp/codec/properties.ts'
import { type ArgumentsJson, tableJson } from '../../protocols/amqp/definitions/arguments.ts'
import { withDeliveryHeaders } from '../../protocols/amqp/delivery-headers.ts'
import { outgoingForm } from '../../protocols/amqp/outgoing-form.ts'
import { badRequest } from './failures.ts'
import type { Json } from './management-route.ts'

const SHORT_TEXT_BYTES_MAX = 255
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const octets: ReadonlySet<PropertyName> = new Set(['deliveryMode', 'priority'])

const jsonName = (name: PropertyName): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const names: ReadonlyMap<string, PropertyName> = new Map(propertyNames.map((name) => [jsonName(name), name]))

/** Properties as bytes of a content header. @param json such as `{ "delivery_mode": 2, "headers": {} }` @throws MillraceError `bad_request` */
export function propertiesOf(json: Json): Uint8Array {
  const values: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(json)) {
    const name = names.get(key)
    if (name === undefined) throw badRequest(`there is no property ${JSON.stringify(key)}`)
    values[name] = propertyOf(name, value)
  }
  return encodeProperties(values)
}

function propertyOf(name: PropertyName, value: unknown): unknown {
  if (name === 'headers') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRequest('headers must be an object')
    return encodeTable(value as PlainTable)
  }
  const isNumber = octets.has(name) || name === 'timestamp'
  if (isNumber) {
    const number = typeof value === 'string' ? Number(value) : value
    const max = name === 'timestamp' ? Number.MAX_SAFE_INTEGER : 255
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 && number <= max) return number
    throw badRequest(`${jsonName(name)} must be a whole number up to ${max}`)
  }
  if (typeof value === 'string' && Buffer.byteLength(value) <= SHORT_TEXT_BYTES_MAX) return value
  throw badRequest(`${jsonName(name)} must be text of at most ${SHORT_TEXT_BYTES_MAX} bytes`)
}

export interface ShownMessage {
  readonly payload_bytes: number
  readonly redelivered: boolean
  readonly exchange: string
  readonly routing_key: string
  readonly message_count: number
  readonly properties: object
  readonly payload: string
  readonly payload_encoding: 'string' | 'base64'
}

interface ShowOptions {
  /** As clients call it. */
  readonly queue: string
  readonly messagesLeft: number
  /** Whether it says how often it was delivered before. */
  readonly tellsCount: boolean
  readonly encoding: 'auto' | 'base64'
  /** Bytes of the payload that are shown. */
  readonly truncate: number
}

/** One record of a delivery, as RabbitMQ shows a message. */
export function shownMessage({ batch, baseOffset, attempt }: Delivery, offset: number, options: ShowOptions): ShownMessage {
  const record = new RecordCursor(batch)
  while (record.next() && baseOffset + record.offsetDelta !== offset) continue
  const { exchange, values } = outgoingForm(readHeaders(batch, record.headersAt, record.end), record.timestampMs, batch)
  const shown = options.tellsCount && attempt > 1 ? withDeliveryHeaders(values, { deliveryCount: attempt - 1 }) : values
  const length = Math.max(record.valueLength, 0)
  const body = batch.subarray(record.valueAt, record.valueAt + Math.min(length, options.truncate))
  const key = record.keyLength < 0 ? undefined : batch.subarray(record.keyAt, record.keyAt + record.keyLength)
  const fromDefault = exchange.length === 0 ? options.queue : ''
  return {
    payload_bytes: length,
    redelivered: attempt > 1,
    exchange: Buffer.from(exchange).toString('utf8'),
    routing_key: key === undefined ? fromDefault : Buffer.from(key).toString('utf8'),
    message_count: options.messagesLeft,
    properties: propertiesJson(encodeProperties(shown)),
    ...payloadOf(body, options.encoding),
  }
}

function propertiesJson(bytes: Uint8Array): object {
  const properties = new Properties()
  properties.read(bytes, 0, bytes.length)
  return Object.fromEntries(
    propertyNames.filter((name) => properties.has(PROPERTY[name])).map((name) => [jsonName(name), valueOf(properties, name)]),
  )
}

function valueOf(properties: Properties, name: PropertyName): string | number | ArgumentsJson {
  const property = PROPERTY[name]
  if (octets.has(name)) return properties.octet(property)
  if (name === 'timestamp') return Number(properties.timestamp())
  if (name !== 'headers') return properties.text(property)
  return tableJson(decodeTable(properties.bytes, properties.at(property), properties.end(property)))
}

function payloadOf(body: Uint8Array, encoding: 'auto' | 'base64'): Pick<ShownMessage, 'payload' | 'payload_encoding'> {
  if (encoding === 'auto') {
    const text = textOf(body)
    if (text !== undefined) return { payload: text, payload_encoding: 'string' }
  }
  return { payload: Buffer.from(body).toString('base64'), payload_encoding: 'base64' }
}

/** Undefined for what is no UTF-8. */
function textOf(body: Uint8Array): string | undefined {
  try {
    return decoder.decode(body)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}
