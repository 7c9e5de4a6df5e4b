import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyTable, anyText } from '../../../../test/amqp/any-method.ts'
import { encodeTable } from './field-table.ts'
import { encodeProperties, Properties, PROPERTY, propertyNames, readBodySize } from './properties.ts'
import type { PropertyValues } from './properties.ts'

const octet = fc.nat({ max: 255 })
const text = anyText(255)
const anyProperties = fc.record(
  {
    contentType: text,
    contentEncoding: text,
    headers: anyTable.map((table) => encodeTable(table)),
    deliveryMode: octet,
    priority: octet,
    correlationId: text,
    replyTo: text,
    expiration: text,
    messageId: text,
    timestamp: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    type: text,
    userId: text,
    appId: text,
    clusterId: text,
  },
  { requiredKeys: [] },
)

function valuesOf(properties: Properties): PropertyValues {
  const values: Record<string, unknown> = {}
  for (const name of propertyNames) {
    const property = PROPERTY[name]
    if (!properties.has(property)) continue
    if (name === 'headers') values[name] = properties.content(property)
    else if (name === 'timestamp') values[name] = properties.timestamp()
    else values[name] = name === 'deliveryMode' || name === 'priority' ? properties.octet(property) : properties.text(property)
  }
  return values
}

test('properties are read as they were written, by one reader for all', () => {
  const properties = new Properties()
  fc.assert(
    fc.property(anyProperties, fc.nat({ max: 5 }), (values, at) => {
      const encoded = encodeProperties(values)
      const bytes = new Uint8Array(at + encoded.length + 3)
      bytes.set(encoded, at)
      properties.read(bytes, at, at + encoded.length)
      expect(valuesOf(properties)).toEqual(values)
    }),
    { numRuns: 500 },
  )
})

test('properties that end early, or late, are refused', () => {
  const properties = new Properties()
  fc.assert(
    fc.property(anyProperties, (values) => {
      const encoded = encodeProperties(values)
      const refused = expect.objectContaining({ reply: 'syntax-error' })
      for (let end = 0; end < encoded.length; end++) expect(() => properties.read(encoded, 0, end)).toThrow(refused)
      const longer = Uint8Array.from([...encoded, 0])
      expect(() => properties.read(longer, 0, longer.length)).toThrow(refused)
    }),
    { numRuns: 50 },
  )
})

test('the flags are those of the specification', () => {
  expect([...encodeProperties({})]).toEqual([0, 0])
  expect([...encodeProperties({ contentType: 'a', deliveryMode: 2 })]).toEqual([0x90, 0, 1, 0x61, 2])
  expect([...encodeProperties({ clusterId: '' })]).toEqual([0, 4, 0])
  const properties = new Properties()
  for (const flag of [1, 2]) expect(() => properties.read(Uint8Array.of(0, flag), 0, 2)).toThrow('unknown flags')
})

test('a content header says how large the body is, and of which class', () => {
  const header = Uint8Array.from([0, 60, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0])
  expect(readBodySize(header, 0, header.length)).toBe(2 ** 32 + 5)
  expect(() => readBodySize(header, 0, 13)).toThrow(expect.objectContaining({ code: 502 }))
  header[1] = 50
  expect(() => readBodySize(header, 0, header.length)).toThrow(expect.objectContaining({ code: 505 }))
})
