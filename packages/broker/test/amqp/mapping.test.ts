// What docs/mapping.md says of each property: whichever door wrote it, the record has it, and each door reads it.
import { encodeText, messageProperties, RecordReader } from '@millrace/wire'
import type { RecordHeader } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { recordToJson } from '../../src/protocols/api/message-json.ts'
import type { MessageJson } from '../../src/protocols/api/message-json.ts'
import { decodeTable, encodeTable } from '../../src/protocols/amqp/codec/field-table.ts'
import type { PropertyValues } from '../../src/protocols/amqp/codec/properties.ts'
import { headersWithExpiry, parseMessage } from '../../src/server/http/publish-request.ts'
import { read } from '../repository/source-files.ts'
import { type AmqpMessage, readByAmqp, RECORD_MS, stored, storedByAmqp } from './amqp-message.ts'

interface Cell {
  readonly header: string
  /** In the record. */
  readonly text: string
  readonly amqp: PropertyValues
  /** In a JSON message, where it is not `headers`. */
  readonly http?: Readonly<Record<string, unknown>>
}

const cell = (header: string, text: string, amqp: PropertyValues, http?: Readonly<Record<string, unknown>>): Cell => ({
  header,
  text,
  amqp,
  ...(http === undefined ? {} : { http }),
})

const cells: readonly Cell[] = [
  cell('content-type', 'text/plain', { contentType: 'text/plain' }),
  cell('content-encoding', 'gzip', { contentEncoding: 'gzip' }),
  cell('correlation-id', 'c-1', { correlationId: 'c-1' }),
  cell('reply-to', 'answers', { replyTo: 'answers' }),
  cell('message-id', 'm-1', { messageId: 'm-1' }),
  cell('type', 'order', { type: 'order' }),
  cell('user-id', 'anna', { userId: 'anna' }),
  cell('app-id', 'shop', { appId: 'shop' }),
  cell('cluster-id', 'east', { clusterId: 'east' }),
  cell('priority', '7', { priority: 7 }, { priority: 7 }),
  cell('expires-at', String(RECORD_MS + 5000), { expiration: '5000' }, { ttlMs: 5000 }),
  cell('timestamp', '1600000000000', { timestamp: 1_600_000_000n }),
  cell('delivery-mode', '1', { deliveryMode: 1 }),
  cell('region', 'eu', { headers: encodeTable({ region: 'eu' }) }),
]

/** Native and Kafka clients send and get batches as they are stored. */
const writers = {
  'native and Kafka': ({ header, text }: Cell) => stored([{ key: header, value: encodeText(text) }]),
  HTTP({ header, text, http }: Cell) {
    const message = parseMessage({ body: 'a body', ...(http ?? { headers: { [header]: text } }) }, 'the message')
    return stored(headersWithExpiry(message, RECORD_MS), message.key)
  },
  AMQP: ({ amqp }: Cell) => storedByAmqp({ deliveryMode: 2, ...amqp }),
} as const

const decoder = new TextDecoder()

function recordOf(batch: Uint8Array): RecordReader {
  const record = new RecordReader(batch)
  record.next()
  return record
}

const textOf = (headers: readonly RecordHeader[], name: string): string | undefined => {
  const value = headers.findLast(({ key }) => key === name)?.value
  return value === undefined || value === null ? undefined : decoder.decode(value)
}

const inJson = (batch: Uint8Array): MessageJson => recordToJson(0, 0, recordOf(batch))

describe.each(Object.entries(writers))('%s writes', (_door, write) => {
  test.each(cells)('$header, and every door reads it', (wanted) => {
    const batch = write(wanted)
    expect(textOf(recordOf(batch).headers, wanted.header)).toBe(wanted.text)
    expect(inJson(batch).headers[wanted.header]).toBe(wanted.text)
    if (wanted.header === 'priority') expect(inJson(batch).priority).toBe(7)
    expect(readByAmqp(batch).properties).toEqual({ deliveryMode: 2, ...wanted.amqp })
  })
})

test('the key: a routing key for AMQP, and back', () => {
  const published = parseMessage({ body: 'a', key: 'orders.eu' }, 'the message')
  expect(readByAmqp(stored(published.headers, published.key))).toMatchObject({ exchange: '', routingKey: 'orders.eu' })
  const batch = storedByAmqp({}, 'tenant::topics', 'orders.eu')
  expect(inJson(batch)).toMatchObject({ key: 'orders.eu', headers: { exchange: 'tenant::topics' } })
  expect(readByAmqp(batch)).toMatchObject({ exchange: 'topics', routingKey: 'orders.eu' })
  expect(inJson(storedByAmqp({}, '', 'mail')).key).toBeUndefined()
})

test('typed AMQP headers: text for other doors, types for AMQP', () => {
  const headers = encodeTable({ retries: 3, urgent: true, tags: ['a'], region: 'eu' })
  const batch = storedByAmqp({ deliveryMode: 2, headers })
  expect(inJson(batch).headers).toMatchObject({ retries: '3', urgent: 'true', region: 'eu' })
  expect(headersOf(readByAmqp(batch))).toEqual({ retries: 3, urgent: true, tags: ['a'], region: 'eu' })
})

test('headers of other doors in AMQP: text, bytes, nothing', () => {
  const batch = stored([
    { key: 'text', value: encodeText('ä') },
    { key: 'bytes', value: Uint8Array.of(0xff) },
    { key: 'nothing', value: null },
  ])
  expect(headersOf(readByAmqp(batch))).toEqual({ text: 'ä', bytes: Uint8Array.of(0xff), nothing: null })
})

test('a dead letter tells AMQP and JSON where it died', () => {
  const death = { source: 'queue:work', reason: 'rejected', count: 1, firstMs: 1000, exchange: '', keys: ['work'] }
  const history = JSON.stringify([death])
  const batch = stored([{ key: 'millrace-dead-history', value: encodeText(history) }])
  expect(inJson(batch).headers['millrace-dead-history']).toBe(history)
  expect(headersOf(readByAmqp(batch))).toMatchObject({ 'x-first-death-queue': 'work', 'x-last-death-reason': 'rejected' })
})

test('the document names every property, and this test has a cell for each', () => {
  const document = read('docs/mapping.md')
  const names = [...Object.values(messageProperties), 'millrace-dead-history']
  expect(names.filter((name) => !document.includes(`\`${name}\``))).toEqual([])
  const elsewhere: readonly string[] = ['exchange', 'amqp-headers']
  const tested = cells.map(({ header }) => header)
  expect(Object.values(messageProperties).filter((name) => !tested.includes(name) && !elsewhere.includes(name))).toEqual([])
})

function headersOf({ properties: { headers } }: AmqpMessage): Record<string, unknown> {
  const table = decodeTable(headers!, 0, headers!.length)
  return Object.fromEntries(table.names.map((name, n) => [name, table.values[n]]))
}
