import { encodeHeaders, encodeText, messageProperties, RecordBatchBuilder, RecordCursor } from '@millrace/wire'
import type { HeaderToWrite } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RECORD_MS, stored } from '../../../test/amqp/amqp-message.ts'
import { encodeProperties } from './codec/properties.ts'
import { MessagesOut } from './message-out.ts'
import { outgoingForm } from './outgoing-form.ts'
import { OutgoingProperties } from './outgoing-properties.ts'

const DEATH = '[{"source":"queue:q","reason":"expired","count":1,"firstMs":1,"exchange":"","keys":["q"]}]'
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...Object.values(messageProperties)) },
  { weight: 2, arbitrary: fc.constantFrom('a', 'b', 'tenant', 'x-trace', 'x-delay', 'Type', 'n'.repeat(63), 'n'.repeat(64), '') },
  fc.constantFrom('millrace-', 'millrace-dead-history', 'millrac', 'ä', 'n'.repeat(256)),
)
const value = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.constantFrom('0', '-7', '7', '255', '256', '007', '', '1700000000000', String(RECORD_MS + 60_000), '9'.repeat(15)),
  fc.constantFrom('9'.repeat(16), '18446744073709551615999', 'x'.repeat(255), 'x'.repeat(256), 'vhost::x', 'ä', DEATH),
  fc.string({ unit: 'grapheme-ascii', minLength: 8000, maxLength: 9000 }),
  fc.constant(null),
  fc.uint8Array({ maxLength: 5 }),
)
const headers: fc.Arbitrary<readonly HeaderToWrite[]> = fc.oneof(
  fc.uniqueArray(fc.record({ key: name, value }), { selector: ({ key }) => key, maxLength: 12 }),
  fc.array(fc.record({ key: name, value }), { maxLength: 20 }),
)

/** As `outgoing-form.ts` has it. */
function decoded(all: readonly HeaderToWrite[]): { readonly properties: Uint8Array; readonly exchange: Uint8Array } {
  const views = all.map(({ key, value: each }) => ({ key, value: typeof each === 'string' ? encodeText(each) : each }))
  const form = outgoingForm(views, RECORD_MS, new Uint8Array(0))
  return { properties: encodeProperties(form.values), exchange: form.exchange }
}

test('properties are those of the decoded headers, byte for byte, whatever came before', () => {
  const out = new MessagesOut()
  fc.assert(
    fc.property(fc.array(headers, { minLength: 1, maxLength: 4 }), (records) => {
      const builder = new RecordBatchBuilder()
      for (const each of records) builder.append(RECORD_MS, null, null, each)
      const cursor = new RecordCursor(builder.finish())
      const seen = records.map((each) => {
        cursor.next()
        out.read(cursor, 'q')
        return { properties: out.properties, address: out.address, expected: decoded(each) }
      })
      for (const { properties, address, expected } of seen) {
        expect(Buffer.compare(properties, expected.properties)).toBe(0)
        expect(Buffer.compare(address.subarray(1, 1 + address[0]!), expected.exchange)).toBe(0)
      }
    }),
    { numRuns: 3000 },
  )
})

const usual: readonly HeaderToWrite[] = [
  { key: 'expires-at', value: String(RECORD_MS + 60_000) },
  { key: 'exchange', value: 'vhost::x' },
  { key: 'content-type', value: 'text/ä' },
  { key: 'message-id', value: 'm' },
  { key: 'delivery-mode', value: '1' },
  { key: 'priority', value: '4' },
  { key: 'timestamp', value: '1700000000000' },
  { key: 'tenant', value: 'north' },
]

test('usual headers need not be decoded', () => {
  const { bytes, at, end } = encodeHeaders(usual)
  const translated = new OutgoingProperties()
  expect(translated.translate(bytes, at, end, RECORD_MS)).toEqual(decoded(usual).properties)
  const text = (start: number, length: number): string => new TextDecoder().decode(bytes.subarray(start, start + length))
  expect(text(translated.expiryAt, translated.expiryDigits)).toBe(String(RECORD_MS + 60_000))
  expect(text(translated.exchangeAt, translated.exchangeLength)).toBe('vhost::x')
  expect(translated.expirationMs).toBe(60_000)
})

test('headers that end early or late are left to the decoder', () => {
  const { bytes, at, end } = encodeHeaders(usual)
  const translated = new OutgoingProperties()
  for (let cut = at; cut < end; cut++) expect(translated.translate(bytes.slice(at, cut), 0, cut - at, RECORD_MS)).toBeUndefined()
  const longer = new Uint8Array(end - at + 1)
  longer.set(bytes.subarray(at, end))
  expect(translated.translate(longer, 0, longer.length, RECORD_MS)).toBeUndefined()
})

test('what a delivery adds is added to what was translated', () => {
  const out = new MessagesOut()
  const cursor = new RecordCursor(stored(usual.map(({ key, value: each }) => ({ key, value: encodeText(each as string) }))))
  cursor.next()
  out.read(cursor, 'q')
  const plain = out.properties
  out.read(cursor, 'q', { deliveryCount: 1 })
  expect(out.properties.length).toBe(plain.length + 2 * (1 + 'x-delivery-count'.length + 1 + 8))
  out.read(cursor, 'q')
  expect(out.properties).toEqual(plain)
})
