import fc from 'fast-check'
import { expect, test } from 'vitest'
import { valuesOf } from '../../../../test/amqp/amqp-message.ts'
import { anyProperties } from '../../../../test/amqp/any-properties.ts'
import { encodeProperties, Properties, PROPERTY, readBodySize } from './properties.ts'

test('properties are read as they were written', () => {
  fc.assert(
    fc.property(anyProperties, (values) => {
      expect(valuesOf(encodeProperties(values))).toEqual(values)
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

test('one reader takes one content header after the other, wherever it lies', () => {
  const properties = new Properties()
  const bytes = Uint8Array.from([
    9,
    9,
    ...encodeProperties({ contentType: 'a', type: 'b' }),
    ...encodeProperties({ priority: 7 }),
  ])
  properties.read(bytes, 2, 8)
  expect([properties.text(PROPERTY.contentType), properties.text(PROPERTY.type)]).toEqual(['a', 'b'])
  properties.read(bytes, 8, bytes.length)
  expect([properties.has(PROPERTY.contentType), properties.octet(PROPERTY.priority)]).toEqual([false, 7])
})
