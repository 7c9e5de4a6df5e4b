import { encodeText, RecordBatchBuilder, RecordCursor } from '@millrace/wire'
import type { DeathEntry, RecordHeader } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readByAmqp, RECORD_MS, stored, storedByAmqp, tableOf } from '../../../test/amqp/amqp-message.ts'
import { anyText } from '../../../test/amqp/any-method.ts'
import { anyProperties } from '../../../test/amqp/any-properties.ts'
import { encodeTable, FieldTable, longValue, TypedValue } from './codec/field-table.ts'
import { encodeProperties } from './codec/properties.ts'
import type { PropertyValues } from './codec/properties.ts'
import { MessagesIn } from './message-in.ts'
import { MessagesOut } from './message-out.ts'

const text = (key: string, value: string): RecordHeader => ({ key, value: encodeText(value) })

test('what AMQP publishes comes back as it was', () => {
  const expiration = fc.option(fc.nat({ max: 0xffff_ffff }).map(String), { nil: undefined })
  const published = fc
    .tuple(anyProperties, expiration)
    .map(([{ expiration: _any, ...values }, ms]): PropertyValues => (ms === undefined ? values : { ...values, expiration: ms }))
  const out = new MessagesOut()
  const messages = new MessagesIn()
  fc.assert(
    fc.property(published, anyText(255), anyText(100), (values, exchange, routingKey) => {
      if (exchange.includes('::')) return
      const batch = storedByAmqp(values, exchange, routingKey, messages)
      const message = readByAmqp(batch, routingKey, undefined, out)
      expect(message).toEqual({ exchange, routingKey, properties: values })
    }),
    { numRuns: 1000 },
  )
})

test('exchanges have the names of their virtual host', () => {
  expect(readByAmqp(storedByAmqp({}, 'tenant::orders', 'k'))).toMatchObject({ exchange: 'orders', routingKey: 'k' })
  expect(readByAmqp(storedByAmqp({}, '::a::b', ''))).toMatchObject({ exchange: 'a::b', routingKey: '' })
})

test('a message without key came to its queue by name', () => {
  expect(readByAmqp(storedByAmqp({}, '', 'mail'), 'mail')).toMatchObject({ exchange: '', routingKey: 'mail' })
  const long = new Uint8Array(300).fill(97)
  expect(readByAmqp(stored([], long), 'mail')).toMatchObject({ exchange: '', routingKey: 'mail' })
  expect(readByAmqp(stored([], encodeText('own')), 'mail')).toMatchObject({ exchange: '', routingKey: 'own' })
})

test('headers of other doors: text, bytes, nothing', () => {
  const message = readByAmqp(
    stored([text('region', 'eu'), { key: 'raw', value: Uint8Array.of(0xff) }, { key: 'nothing', value: null }]),
  )
  expect(tableOf(message)).toEqual(new FieldTable(['region', 'raw', 'nothing'], ['eu', Uint8Array.of(0xff), null]))
  expect(message.properties.deliveryMode).toBe(2)
})

test('what cannot be a property stays a header', () => {
  const long = 'x'.repeat(256)
  const odd = [text('correlation-id', long), text('priority', 'high'), text('timestamp', 'today'), text('delivery-mode', '999')]
  const message = readByAmqp(stored([...odd, text('expires-at', 'never'), text('amqp-headers', 'no table')]))
  expect(tableOf(message)).toEqual(
    new FieldTable(
      ['correlation-id', 'priority', 'timestamp', 'delivery-mode', 'expires-at', 'amqp-headers'],
      [long, 'high', 'today', '999', 'never', 'no table'],
    ),
  )
  expect(Object.keys(message.properties)).toEqual(['headers', 'deliveryMode'])
})

test('properties that other doors write', () => {
  const headers = [text('content-type', 'text/plain'), text('priority', '7'), text('timestamp', '1600000000999')]
  const { properties } = readByAmqp(stored([...headers, text('expires-at', String(RECORD_MS + 5)), { key: 'type', value: null }]))
  expect(properties).toEqual({
    contentType: 'text/plain',
    priority: 7,
    timestamp: 1_600_000_000n,
    expiration: '5',
    deliveryMode: 2,
  })
})

test('of headers that come twice the last counts', () => {
  const message = readByAmqp(stored([text('a', '1'), text('type', 'x'), text('a', '2'), text('type', 'y')]))
  expect(message.properties.type).toBe('y')
  expect(tableOf(message)).toEqual(new FieldTable(['a'], ['2']))
})

test('names too long for AMQP, and what the broker notes for itself, are not shown', () => {
  const message = readByAmqp(stored([text('n'.repeat(256), 'a'), text('millrace-dead-error', 'b'), text('ok', 'c')]))
  expect(tableOf(message)).toEqual(new FieldTable(['ok'], ['c']))
})

test('a message that expired already has no time left', () => {
  expect(readByAmqp(stored([text('expires-at', String(RECORD_MS - 5))])).properties.expiration).toBe('0')
})

test('how often it was delivered and where it is in a stream are headers of one delivery', () => {
  const out = new MessagesOut()
  const batch = storedByAmqp({ headers: encodeTable({ a: 'b', 'x-delivery-count': 99 }) })
  const again = readByAmqp(batch, 'q', { deliveryCount: 2, streamOffset: 7 }, out)
  expect(tableOf(again)).toEqual(
    new FieldTable(
      ['a', 'x-acquired-count', 'x-delivery-count', 'x-stream-offset'],
      ['b', longValue(2), longValue(2), longValue(7)],
    ),
  )
  expect(tableOf(readByAmqp(batch, 'q', undefined, out))).toEqual(new FieldTable(['a', 'x-delivery-count'], ['b', 99]))
  expect(tableOf(readByAmqp(stored([]), 'q', { deliveryCount: 1 }, out))).toEqual(
    new FieldTable(['x-acquired-count', 'x-delivery-count'], [longValue(1), longValue(1)]),
  )
})

// ---- dead letters ---------------------------------------------------------------------------------------------------

const history = (...deaths: readonly DeathEntry[]): RecordHeader => text('millrace-dead-history', JSON.stringify(deaths))
const second: DeathEntry = {
  source: 'queue:tenant::retry',
  reason: 'expired',
  count: 2,
  firstMs: 9_999,
  exchange: 'tenant::dlx',
  keys: ['k'],
  expiration: '500',
}
const first: DeathEntry = {
  source: 'queue:tenant::work',
  reason: 'max-attempts',
  count: 1,
  firstMs: 5_000,
  exchange: '',
  keys: ['work', 'cc'],
}

test('the history of a dead letter is x-death, as RabbitMQ writes it', () => {
  const table = tableOf(readByAmqp(stored([text('a', 'b'), history(second, first)])))
  const deaths = table.get('x-death') as readonly FieldTable[]
  const shown = deaths.map((death) => Object.fromEntries(death.names.map((name) => [name, plain(death.get(name))])))
  expect(shown).toEqual([
    {
      count: 2,
      reason: 'expired',
      queue: 'retry',
      time: 9,
      exchange: 'dlx',
      'routing-keys': ['k'],
      'original-expiration': '500',
    },
    { count: 1, reason: 'delivery_limit', queue: 'work', time: 5, exchange: '', 'routing-keys': ['work', 'cc'] },
  ])
  const types = ['count', 'time'].map((name) => (deaths[0]!.get(name) as TypedValue).type)
  expect(types).toEqual(['l', 'T'])
  const others = table.names.filter((name) => name !== 'x-death').map((name) => [name, table.get(name)])
  expect(others).toEqual([
    ['a', 'b'],
    ['x-first-death-queue', 'work'],
    ['x-first-death-reason', 'delivery_limit'],
    ['x-first-death-exchange', ''],
    ['x-last-death-queue', 'retry'],
    ['x-last-death-reason', 'expired'],
    ['x-last-death-exchange', 'dlx'],
  ])
})

test.each([
  ['rejected', 'rejected'],
  ['expired', 'expired'],
  ['overflow', 'maxlen'],
  ['max-attempts', 'delivery_limit'],
])('who died by %s died by %s', (reason, shown) => {
  const table = tableOf(readByAmqp(stored([history({ ...first, reason })])))
  expect(table.get('x-last-death-reason')).toBe(shown)
})

test('what a message itself says of deaths gives way to what the broker knows', () => {
  const forged = { 'x-death': 'none', 'x-first-death-queue': 'q', n: 1 }
  const headers: RecordHeader[] = [{ key: 'amqp-headers', value: encodeTable(forged) }]
  expect(tableOf(readByAmqp(stored(headers))).get('x-death')).toBe('none')
  const table = tableOf(readByAmqp(stored([...headers, history(first)])))
  expect([table.get('n'), table.get('x-first-death-queue')]).toEqual([1, 'work'])
  expect(table.names.filter((name) => name === 'x-death' || name === 'x-first-death-queue')).toHaveLength(2)
})

test.each([
  '',
  '{}',
  '[]',
  '[1]',
  '[{"source":"queue:q"}]',
  '\u0000',
  '[{"source":"q","reason":"r","count":-1,"firstMs":0,"exchange":"","keys":[]}]',
])('a history %j is none', (value) => {
  expect(readByAmqp(stored([text('millrace-dead-history', value)])).properties.headers).toBeUndefined()
})

function plain(value: unknown): unknown {
  return value instanceof TypedValue ? value.value : value
}

// ---- one after the other --------------------------------------------------------------------------------------------

test('records that follow each other are each shown as they are, whatever is remembered', () => {
  const exchange = fc.constantFrom('', 'x', 'yy')
  const key = fc.constantFrom('', 'k', 'l')
  const values = fc.record(
    {
      expiration: fc.constantFrom('5', '1000'),
      type: fc.constantFrom('a', 'b'),
      headers: fc.constantFrom(encodeTable({ n: 1 }), encodeTable({ s: 'x' })),
    },
    { requiredKeys: [] },
  )
  const message = fc.tuple(values, exchange, key, fc.nat({ max: 3 }))
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), (published) => {
      const messages = new MessagesIn()
      const builder = new RecordBatchBuilder()
      for (const [properties, to, routingKey, ms] of published) {
        const bytes = encodeProperties(properties)
        const form = messages.read(bytes, 0, bytes.length, to)
        builder.appendEncoded(RECORD_MS + ms, form.recordKey(routingKey), bytes, 0, 0, form.headersAt(RECORD_MS + ms))
      }
      const cursor = new RecordCursor(builder.finish())
      const out = new MessagesOut()
      for (const [properties, to, routingKey] of published) {
        cursor.next()
        out.read(cursor, 'mail')
        const expected = Uint8Array.from([...shortString(to), ...shortString(to === '' ? 'mail' : routingKey)])
        expect(out.address).toEqual(expected)
        expect(out.properties).toEqual(encodeProperties(properties))
      }
    }),
  )
})

const shortString = (value: string): readonly number[] => [value.length, ...encodeText(value)]

const delayOf = (batch: Uint8Array): unknown => tableOf(readByAmqp(batch)).get('x-delay')

test('the delay of what has waited is a whole number below zero; others stay as they were published', () => {
  expect(delayOf(stored([text('x-delay', '-200')]))).toEqual(longValue(-200))
  expect(delayOf(stored([text('x-delay', '-2.5'), text('a', 'b')]))).toEqual(longValue(-2))
  for (const told of ['200', '0', '-0.5', 'soon', '-Infinity']) expect(delayOf(stored([text('x-delay', told)]))).toBe(told)
  const typed = (told: string, delay: number | string): Uint8Array => {
    const table = encodeTable({ 'x-delay': delay, n: 7 })
    return stored([text('x-delay', told), { key: 'amqp-headers', value: table }])
  }
  expect(tableOf(readByAmqp(typed('-200', 200)))).toEqual(new FieldTable(['n', 'x-delay'], [7, longValue(-200)]))
  expect(delayOf(typed('-200', '200'))).toEqual(longValue(-200))
  expect(delayOf(typed('200', 200))).toBe(200)
  expect(delayOf(typed('-200', -200))).toBe(-200)
  expect(delayOf(typed('-200', '-200'))).toBe('-200')
})
