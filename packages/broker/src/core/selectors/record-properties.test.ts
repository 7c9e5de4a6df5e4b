import { encodeBatch, RecordCursor, type RecordHeader } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { RecordProperties } from './record-properties.ts'
import { compileSelector } from './selector.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const header = (key: string, value: string | Uint8Array | null): RecordHeader => ({
  key,
  value: typeof value === 'string' ? bytes(value) : value,
})

interface Sample {
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

const order: Sample = {
  timestampMs: 1_700_000_000_123,
  key: bytes('customer-7'),
  value: bytes('{}'),
  headers: [
    header('color', 'red'),
    header('weight', '12'),
    header('zip', '01234'),
    header('fresh', 'true'),
    header('größe', 'größer \u{1f600}'),
    header('long', 'x'.repeat(100)),
    header('bom', '\ufeffa'),
    header('broken', Uint8Array.of(0x61, 0xff)),
    header('none', null),
    header('empty', ''),
    header('twice', 'first'),
    header('twice', 'second'),
    header('gone', 'x'),
    header('gone', null),
    header('content-type', 'text/plain'),
    header('big', '9007199254740993'),
    header('message-id', 'ID:5'),
    header('correlation-id', '17'),
    header('type', 'car'),
    header('priority', '9'),
    header('delivery-mode', 'NON_PERSISTENT'),
    header('JMSPriority', '1'),
  ],
}
const bare: Sample = { timestampMs: 5, key: null, value: null, headers: [] }

function matching(selector: string, records: readonly Sample[], deliveryCount?: number): readonly number[] {
  const compiled = compileSelector(selector)
  const cursor = new RecordCursor(encodeBatch(records))
  const properties = new RecordProperties()
  const found: number[] = []
  while (cursor.next()) if (compiled.matches(properties.show(cursor, deliveryCount))) found.push(cursor.offsetDelta)
  return found
}

const matches = (selector: string, sample: Sample, deliveryCount?: number): boolean =>
  matching(selector, [sample], deliveryCount).length === 1

describe('headers are texts, and numbers and booleans where the selector wants them', () => {
  test.each([
    "color = 'red'",
    'weight > 10 AND weight < 12.5 AND weight = 12 AND weight + 1 = 13',
    "weight = '12' AND weight LIKE '1_' AND weight IN ('12')",
    "zip = '01234' AND zip <> '1234' AND zip = 1234 AND zip LIKE '0%'",
    "fresh AND fresh = TRUE AND fresh = 'true' AND NOT (fresh = FALSE)",
    'NOT (color > 1) AND NOT (color = 1) AND NOT color',
    "größe = 'größer \u{1f600}'",
    `long = '${'x'.repeat(100)}'`,
    "bom = '\ufeffa'",
    "broken = 'a\ufffd'",
    'none IS NULL AND gone IS NULL AND missing IS NULL',
    "empty IS NOT NULL AND empty = ''",
    "twice = 'second'",
    '"content-type" = \'text/plain\'',
    'big = 9007199254740993 AND big > 9007199254740992',
    'color IS NOT NULL AND colo IS NULL AND Color IS NULL AND colors IS NULL',
  ])('%s', (selector) => expect(matches(selector, order)).toBe(true))

  test('two headers are compared as texts', () => {
    expect(matches('weight = zip', { ...order, headers: [header('weight', '12'), header('zip', '12.0')] })).toBe(false)
    expect(matches('weight = zip', { ...order, headers: [header('weight', '12'), header('zip', '12')] })).toBe(true)
    expect(matches('weight < zip', { ...order, headers: [header('weight', '9'), header('zip', '12')] })).toBe(true)
  })
})

describe('fields', () => {
  test.each([
    "JMSMessageID = 'ID:5'",
    "JMSCorrelationID = '17'",
    "JMSType = 'car'",
    'JMSPriority = 9',
    "JMSDeliveryMode = 'NON_PERSISTENT'",
    'JMSTimestamp = 1700000000123 AND millrace.timestamp = JMSTimestamp',
    "JMSXGroupID = 'customer-7' AND millrace.key = JMSXGroupID AND \"millrace.key\" LIKE 'customer-%'",
    'JMSXDeliveryCount = 3',
  ])('%s', (selector) => expect(matches(selector, order, 3)).toBe(true))

  test.each([
    'JMSMessageID IS NULL AND JMSCorrelationID IS NULL AND JMSType IS NULL',
    'JMSPriority = 4',
    "JMSDeliveryMode = 'PERSISTENT'",
    'JMSTimestamp = 5',
    'JMSXGroupID IS NULL AND millrace.key IS NULL',
    'JMSXDeliveryCount IS NULL',
  ])('absent: %s', (selector) => expect(matches(selector, bare)).toBe(true))

  test('a key may be a number too', () => {
    expect(matches('millrace.key BETWEEN 5 AND 7', { ...bare, key: bytes('6') })).toBe(true)
    expect(matches('millrace.key IS NOT NULL', { ...bare, key: bytes('') })).toBe(true)
  })
})

test('one adapter walks through a batch', () => {
  const records = Array.from({ length: 100 }, (_, n) => ({
    ...bare,
    headers: [header('n', String(n)), header('parity', n % 2 === 0 ? 'even' : 'odd')],
  }))
  expect(matching("n >= 40 AND n < 50 AND parity = 'even'", records)).toEqual([40, 42, 44, 46, 48])
  expect(matching('', records)).toHaveLength(100)
})
