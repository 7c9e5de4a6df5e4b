import { decodeBatch, messageProperties, RecordBatchBuilder } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyTable } from '../../../test/amqp/any-method.ts'
import { RECORD_MS, storedByAmqp } from '../../../test/amqp/amqp-message.ts'
import { encodeTable, FieldTable, longValue, timestampValue, TypedValue } from './codec/field-table.ts'
import type { PlainTable } from './codec/field-table.ts'
import { encodeProperties } from './codec/properties.ts'
import type { PropertyValues } from './codec/properties.ts'
import type { MessageForm } from './message-form.ts'
import { MessagesIn, RoutedForm } from './message-in.ts'

const decoder = new TextDecoder()

function headersOf(batch: Uint8Array): Record<string, string> {
  const [record] = decodeBatch(batch)
  return Object.fromEntries(record!.headers.map(({ key, value }) => [key, decoder.decode(value!)]))
}

function keyOf(batch: Uint8Array): string | null {
  const { key } = decodeBatch(batch)[0]!
  return key === null ? null : decoder.decode(key)
}

function formOf(values: PropertyValues, exchange = 'x', messages = new MessagesIn()): MessageForm {
  const bytes = encodeProperties(values)
  return messages.read(bytes, 0, bytes.length, exchange)
}

const table = (plain: PlainTable): Uint8Array => encodeTable(plain)

test('every property has its header', () => {
  const batch = storedByAmqp(
    {
      contentType: 'text/plain',
      contentEncoding: 'gzip',
      deliveryMode: 1,
      priority: 4,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '60000',
      messageId: 'm',
      timestamp: 1_600_000_000,
      type: 't',
      userId: 'u',
      appId: 'a',
      clusterId: 'cl',
    },
    'vhost::orders',
    'k',
  )
  expect(keyOf(batch)).toBe('k')
  expect(headersOf(batch)).toEqual({
    exchange: 'vhost::orders',
    'content-type': 'text/plain',
    'content-encoding': 'gzip',
    'delivery-mode': '1',
    priority: '4',
    'correlation-id': 'c',
    'reply-to': 'r',
    'expires-at': String(RECORD_MS + 60_000),
    'message-id': 'm',
    timestamp: '1600000000000',
    type: 't',
    'user-id': 'u',
    'app-id': 'a',
    'cluster-id': 'cl',
  })
})

test('a persistent message of the default exchange has nothing but its body', () => {
  const batch = storedByAmqp({ deliveryMode: 2 }, '', 'q')
  expect([keyOf(batch), headersOf(batch)]).toEqual([null, {}])
})

test('a publisher that does not say whether a message is persistent is told apart', () => {
  expect(headersOf(storedByAmqp({}))).toEqual({ 'delivery-mode': '' })
  expect(headersOf(storedByAmqp({ deliveryMode: 0 }))).toEqual({ 'delivery-mode': '0' })
})

test('an empty routing key is none; one of the default exchange is kept when copies go elsewhere', () => {
  expect(keyOf(storedByAmqp({}, 'x', ''))).toBeNull()
  expect(keyOf(storedByAmqp({ headers: table({}) }, '', 'q'))).toBeNull()
  expect(keyOf(storedByAmqp({ headers: table({ CC: ['other'] }) }, '', 'q'))).toBe('q')
})

test('headers that are all text are record headers, and nothing else', () => {
  const headers = table({ region: 'eu', 'x-trace': 'ä', 1: 'one' })
  expect(headersOf(storedByAmqp({ deliveryMode: 2, headers }))).toEqual({ region: 'eu', 'x-trace': 'ä', 1: 'one' })
})

test.each<readonly [string, PlainTable | FieldTable, Record<string, string>]>([
  ['numbers', { n: 5, big: longValue(6), half: 0.5, name: 'a' }, { n: '5', big: '6', half: '0.5', name: 'a' }],
  ['booleans', { yes: true }, { yes: 'true' }],
  ['timestamps, as milliseconds', { at: timestampValue(3) }, { at: '3000' }],
  ['decimals', { price: new TypedValue('D', Uint8Array.of(2, 0, 0, 1, 0x3a)) }, { price: '3.14' }],
  ['tables, arrays and nothing, without text', { t: { a: 1 }, l: ['b'], v: null, s: 'x' }, { s: 'x' }],
  ['names of properties, without text', { type: 'x', 'content-type': 'y', ok: 'z' }, { ok: 'z' }],
  ["the broker's names, without text", { 'millrace-dead-history': '[]' }, {}],
  ['names that come twice, of which the first counts', new FieldTable(['a', 'a'], ['1', '2']), { a: '1' }],
  ['no entries at all', {}, {}],
])('headers with %s are kept as they are, beside their text', (_what, plain, texts) => {
  const headers = encodeTable(plain)
  const [record] = decodeBatch(storedByAmqp({ deliveryMode: 2, headers }))
  expect(record!.headers[0]).toEqual({ key: messageProperties.amqpHeaders, value: headers })
  const others = Object.fromEntries(record!.headers.slice(1).map(({ key, value }) => [key, decoder.decode(value!)]))
  expect(others).toEqual(texts)
})

test('text that is not UTF-8 keeps its bytes', () => {
  const headers = encodeTable(new FieldTable(['latin'], [new TypedValue('S', Uint8Array.of(0xe4))]))
  const [record] = decodeBatch(storedByAmqp({ deliveryMode: 2, headers }))
  expect(record!.headers).toEqual([
    { key: 'amqp-headers', value: headers },
    { key: 'latin', value: Uint8Array.of(0xe4) },
  ])
})

test('CC and BCC are more keys; CC is stored for whoever routes it again, BCC is not', () => {
  const form = formOf({ headers: table({ CC: ['a', 'b', 7], BCC: ['c'], n: 1 }) })
  expect(form.moreKeys).toEqual(['a', 'b', 'c'])
  const stored = headersOf(storedByAmqp({ deliveryMode: 2, headers: table({ CC: ['a'], BCC: ['c'] }) }))
  expect(stored).toEqual({ 'amqp-headers': decoder.decode(table({ CC: ['a'] })), 'millrace-more-keys': '["a"]' })
})

test.each<readonly [string, PropertyValues, string]>([
  ['an expiration that is no number', { expiration: 'soon' }, 'precondition-failed'],
  ['an empty expiration', { expiration: '' }, 'precondition-failed'],
  ['a negative expiration', { expiration: '-1' }, 'precondition-failed'],
  ['an expiration beyond 32 bits', { expiration: '4294967296' }, 'precondition-failed'],
  ['CC that is no array', { headers: table({ CC: 'a' }) }, 'precondition-failed'],
  ['BCC that is no array', { headers: table({ BCC: 1 }) }, 'precondition-failed'],
  ['a table that is damaged inside', { headers: Uint8Array.of(1, 97, 70, 0, 0, 0, 1, 9) }, 'syntax-error'],
])('%s is refused, and nothing of it is remembered', (_what, values, reply) => {
  const messages = new MessagesIn()
  const refused = expect.objectContaining({ reply, classId: 60, methodId: 40 })
  expect(() => formOf(values, 'x', messages)).toThrow(refused)
  expect(() => formOf(values, 'x', messages)).toThrow(refused)
})

test.each([
  ['soon', 'no_integer'],
  ['', 'no_integer'],
  ['5s', '{leftover_string,"s"}'],
  ['-1', '{value_negative,-1}'],
  ['4294967296', '{value_too_big,4294967296}'],
])('the expiration %j is refused as RabbitMQ refuses it', (expiration, why) => {
  expect(() => formOf({ expiration })).toThrow(`invalid expiration '${expiration}': ${why}`)
})

test('the longest expiration, and none', () => {
  expect(formOf({ expiration: '4294967295' }).expirationMs).toBe(4_294_967_295)
  expect(formOf({ expiration: '0' }).expirationMs).toBe(0)
  expect(formOf({}).expirationMs).toBeUndefined()
})

test('an expiration is counted from the time of each message', () => {
  const form = formOf({ expiration: '1000', contentType: 'a' })
  const builder = new RecordBatchBuilder()
  for (const ms of [5000, 5000, 7000]) builder.appendEncoded(ms, null, new Uint8Array(0), 0, 0, form.headersAt(ms))
  const expiries = decodeBatch(builder.finish()).map(({ headers }) => decoder.decode(headers[0]!.value!))
  expect(expiries).toEqual(['6000', '6000', '8000'])
})

test('properties that come again are not made again, unless the exchange is another', () => {
  const messages = new MessagesIn()
  const first = formOf({ type: 'a' }, 'x', messages)
  const others = ['b', 'c'].map((type) => formOf({ type }, 'x', messages))
  expect(formOf({ type: 'a' }, 'x', messages)).toBe(first)
  expect(formOf({ type: 'b' }, 'x', messages)).toBe(others[0])
  expect(formOf({ type: 'a' }, 'y', messages)).not.toBe(first)
})

test('what is remembered does not change with the buffer that it came in', () => {
  const messages = new MessagesIn()
  const bytes = encodeProperties({ type: 'a', headers: table({ n: 'x' }) })
  const form = messages.read(bytes, 0, bytes.length, '')
  bytes.fill(0)
  expect([form.header('type'), form.header('n')]).toEqual(['a', 'x'])
})

test('exchanges see headers with their values, and properties behind them', () => {
  const headers = table({
    text: 'a',
    n: 5,
    long: longValue(6),
    yes: true,
    at: timestampValue(2),
    bytes: Uint8Array.of(97),
    list: [1],
    nothing: null,
    type: 'of the header',
  })
  const routed = new RoutedForm(formOf({ headers, type: 'of the property', messageId: 'm', expiration: '5' }))
  routed.key = 'k'
  const seen = ['text', 'n', 'long', 'yes', 'at', 'bytes', 'type', 'message-id'].map((name) => routed.header(name))
  expect(seen).toEqual(['a', 5, 6, true, 2000, 'a', 'of the header', 'm'])
  // There, and equal to nothing.
  expect([routed.header('list'), routed.header('nothing')]).toEqual([null, null])
  expect([routed.header('absent'), routed.header('correlation-id'), routed.header('expires-at')]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  expect([routed.key, routed.moreKeys]).toEqual(['k', []])
})

test('any table is found in the record: as it is, or as record headers', () => {
  fc.assert(
    fc.property(anyTable, (any) => {
      const headers = encodeTable(any)
      if (any.names.includes('CC') || any.names.includes('BCC')) return
      const [record] = decodeBatch(storedByAmqp({ deliveryMode: 2, headers }))
      const raw = record!.headers.find(({ key }) => key === 'amqp-headers')
      if (raw !== undefined) expect(raw.value).toEqual(headers)
      else
        expect(record!.headers.map(({ key, value }) => [key, decoder.decode(value!)])).toEqual(
          any.names.map((name, n) => [name, any.values[n]]),
        )
    }),
    { numRuns: 500 },
  )
})
