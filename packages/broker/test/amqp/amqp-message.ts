import { RecordBatchBuilder, RecordCursor } from '@millrace/wire'
import type { RecordHeader } from '@millrace/wire'
import { encodeBatch } from '@millrace/wire'
import { decodeTable, FieldTable } from '../../src/protocols/amqp/codec/field-table.ts'
import { encodeProperties, Properties, PROPERTY, propertyNames } from '../../src/protocols/amqp/codec/properties.ts'
import type { PropertyName, PropertyValues } from '../../src/protocols/amqp/codec/properties.ts'
import { MessagesIn } from '../../src/protocols/amqp/message-in.ts'
import { MessagesOut } from '../../src/protocols/amqp/message-out.ts'
import type { DeliveryHeaders } from '../../src/protocols/amqp/delivery-headers.ts'

const decoder = new TextDecoder()
/** Of every record that is made here. */
export const RECORD_MS = 1_700_000_000_123
export const VALUE: Uint8Array = new TextEncoder().encode('a body')

/** A message as an AMQP client gets it. */
export interface AmqpMessage {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: PropertyValues
}

/** What the AMQP door stores. @param exchange its name in the core */
export function storedByAmqp(
  values: PropertyValues,
  exchange = '',
  routingKey = 'q',
  messages: MessagesIn = new MessagesIn(),
): Uint8Array {
  const bytes = encodeProperties(values)
  const form = messages.read(bytes, 0, bytes.length, exchange)
  const builder = new RecordBatchBuilder()
  builder.appendEncoded(RECORD_MS, form.recordKey(routingKey), VALUE, 0, VALUE.length, form.headersAt(RECORD_MS))
  return builder.finish().slice()
}

/** A record of any door. */
export function stored(headers: readonly RecordHeader[], key: Uint8Array | null = null): Uint8Array {
  return encodeBatch([{ timestampMs: RECORD_MS, key, value: VALUE, headers }]).slice()
}

/** The first record of a batch as an AMQP client gets it. */
export function readByAmqp(
  batch: Uint8Array,
  queue = 'q',
  additions?: DeliveryHeaders,
  messages: MessagesOut = new MessagesOut(),
): AmqpMessage {
  const cursor = new RecordCursor(batch)
  cursor.next()
  messages.read(cursor, queue, additions)
  const { address } = messages
  const exchangeEnd = 1 + address[0]!
  return {
    exchange: decoder.decode(address.subarray(1, exchangeEnd)),
    routingKey: decoder.decode(address.subarray(exchangeEnd + 1, exchangeEnd + 1 + address[exchangeEnd]!)),
    properties: valuesOf(messages.properties),
  }
}

/** Decoded: texts, numbers, and the table as bytes. */
export function valuesOf(bytes: Uint8Array): PropertyValues {
  const properties = new Properties()
  properties.read(bytes, 0, bytes.length)
  return Object.fromEntries(
    propertyNames.filter((name) => properties.has(PROPERTY[name])).map((name) => [name, valueOf(properties, name)]),
  )
}

function valueOf(properties: Properties, name: PropertyName): unknown {
  if (name === 'headers') return properties.content(PROPERTY.headers).slice()
  if (name === 'timestamp') return properties.timestamp()
  return name === 'deliveryMode' || name === 'priority' ? properties.octet(PROPERTY[name]) : properties.text(PROPERTY[name])
}

export function tableOf(message: AmqpMessage): FieldTable {
  const { headers } = message.properties
  return headers === undefined ? new FieldTable() : decodeTable(headers, 0, headers.length)
}
