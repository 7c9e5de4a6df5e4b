import { encodeHeaders } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyText } from '../../../test/amqp/any-method.ts'
import { anyProperties } from '../../../test/amqp/any-properties.ts'
import { RECORD_MS } from '../../../test/amqp/amqp-message.ts'
import { decodedHeaders } from '../../../test/amqp/decoded-mapping.ts'
import { encodeTable, FieldTable } from './codec/field-table.ts'
import { encodeProperties } from './codec/properties.ts'
import { MessagesIn } from './message-in.ts'

const usualName = fc.constantFrom('a', 'b', 'x-trace', 'tenant', 'Type', 'c'.repeat(64), 'd'.repeat(200), '', 'ä')
const oddName = fc.constantFrom('type', 'content-type', 'amqp-headers', 'millrace-', 'millrace-x', 'millrac', 'exchange')
const text = fc.oneof(
  fc.string({ maxLength: 80 }),
  anyText(100),
  fc.string({ unit: 'grapheme-ascii', minLength: 5000, maxLength: 6000 }),
)
const entry = fc.tuple(
  fc.oneof({ weight: 9, arbitrary: usualName }, oddName),
  fc.oneof({ weight: 9, arbitrary: text }, fc.integer()),
)
/** Tables of texts for the most part, of which some have more entries than are looked at one by one. */
const textTable = fc
  .oneof({ weight: 4, arbitrary: fc.array(entry, { maxLength: 6 }) }, fc.array(fc.tuple(anyText(20), text), { maxLength: 20 }))
  .map((entries) =>
    encodeTable(
      new FieldTable(
        entries.map(([name]) => name),
        entries.map(([, value]) => value),
      ),
    ),
  )
const expiration = fc.nat({ max: 0xffff_ffff }).map(String)
const time = fc.oneof(fc.nat({ max: 4_000_000_000 }), fc.maxSafeNat().map(BigInt))
const message = fc
  .tuple(
    anyProperties,
    fc.record({ headers: textTable, expiration, timestamp: time }, { requiredKeys: [] }),
    fc.constantFrom('', 'x', 'vhost::orders', 'ä'),
  )
  .map(([{ expiration: _any, ...any }, more, exchange]) => ({ bytes: encodeProperties({ ...any, ...more }), exchange }))

test('headers are those that the decoded properties say, byte for byte, at any time', () => {
  const timesMs = fc.array(fc.oneof(fc.nat({ max: 99_999 }), fc.integer({ min: RECORD_MS, max: RECORD_MS + 9 })), {
    minLength: 1,
    maxLength: 3,
  })
  const messages = new MessagesIn()
  fc.assert(
    fc.property(message, timesMs, ({ bytes, exchange }, times) => {
      const form = messages.read(bytes, 0, bytes.length, exchange)
      for (const ms of times) {
        const { bytes: headers, at, end, hasExpiry } = form.headersAt(ms)
        const expected = encodeHeaders(decodedHeaders(bytes, exchange, ms))
        expect(Buffer.compare(headers.subarray(at, end), expected.bytes)).toBe(0)
        expect(hasExpiry).toBe(expected.hasExpiry)
      }
    }),
    { numRuns: 2000 },
  )
})

test('a form stays what it is while others are made', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 2, maxLength: 12 }), (all) => {
      const messages = new MessagesIn()
      const forms = all.map(({ bytes, exchange }) => messages.read(bytes, 0, bytes.length, exchange))
      for (const [n, form] of forms.entries()) {
        const { bytes, exchange } = all[n]!
        const headers = form.headersAt(RECORD_MS)
        const expected = encodeHeaders(decodedHeaders(bytes, exchange, RECORD_MS))
        expect(Buffer.compare(headers.bytes.subarray(headers.at, headers.end), expected.bytes)).toBe(0)
        expect(Buffer.compare(form.properties, bytes)).toBe(0)
      }
    }),
    { numRuns: 200 },
  )
})
