// What docs/mapping.md says of properties and record headers, value by value: the bytes that the door writes must be the same.
import { isMessageProperty, type HeaderToWrite, messageProperties } from '@millrace/wire'
import { Properties, PROPERTY } from '../../src/protocols/amqp/codec/properties.ts'
import { TableView, withoutEntries } from '../../src/protocols/amqp/codec/table-view.ts'
import { headerText } from '../../src/protocols/amqp/header-values.ts'

const texts = [
  'contentType',
  'contentEncoding',
  'correlationId',
  'replyTo',
  'messageId',
  'type',
  'userId',
  'appId',
  'clusterId',
] as const

/** Record headers of a message with these properties. @param bytes flags and properties */
export function decodedHeaders(bytes: Uint8Array, exchange: string, timestampMs: number): readonly HeaderToWrite[] {
  const properties = new Properties()
  properties.read(bytes, 0, bytes.length)
  const headers: HeaderToWrite[] = []
  const add = (name: keyof typeof messageProperties, value: string | Uint8Array): void => {
    headers.push({ key: messageProperties[name], value })
  }
  if (properties.has(PROPERTY.expiration)) add('expiresAt', String(timestampMs + Number(properties.text(PROPERTY.expiration))))
  if (exchange !== '') add('exchange', exchange)
  for (const name of texts) if (properties.has(PROPERTY[name])) add(name, properties.content(PROPERTY[name]))
  const mode = properties.has(PROPERTY.deliveryMode) ? String(properties.octet(PROPERTY.deliveryMode)) : ''
  if (mode !== '2') add('deliveryMode', mode)
  if (properties.has(PROPERTY.priority)) add('priority', String(properties.octet(PROPERTY.priority)))
  if (properties.has(PROPERTY.timestamp)) add('timestamp', String(properties.timestamp() * 1000n))
  if (properties.has(PROPERTY.headers)) headers.push(...tableHeaders(properties.content(PROPERTY.headers)))
  return headers
}

function tableHeaders(whole: Uint8Array): readonly HeaderToWrite[] {
  const table = withoutEntries(whole, new Set(['BCC']))
  const view = new TableView(table)
  const headers: HeaderToWrite[] = []
  const seen = new Set<string>()
  let isPlain = table.length > 0
  while (view.next()) {
    const { name } = view
    const isUsable = !seen.has(name) && !isMessageProperty(name) && isText(table.subarray(view.entryAt + 1, view.typeAt))
    if (!isUsable || view.type !== 'S' || !isText(view.content)) isPlain = false
    seen.add(name)
    const value = headerText(view)
    if (isUsable && value !== undefined) headers.push({ key: name, value })
  }
  return isPlain ? headers : [{ key: messageProperties.amqpHeaders, value: table }, ...headers]
}

function isText(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, Buffer.from(Buffer.from(bytes).toString())) === 0
}
