import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HeaderWriter } from './header-writer.ts'
import { encodeHeaders } from './record-batch-builder.ts'
import { Slab } from './slab.ts'
import { encodeText } from './text.ts'

const number = fc.oneof(fc.nat({ max: 999 }), fc.maxSafeNat())
const header = fc.record({
  key: fc.string({ maxLength: 70 }),
  value: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ minLength: 3000, maxLength: 9000 }), number),
})

test('headers are written as `encodeHeaders` has them, and stay so', () => {
  const writer = new HeaderWriter(new Slab())
  const sets = fc.array(fc.array(header, { maxLength: 70 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(sets, fc.boolean(), (all, hasExpiry) => {
      const written = all.map((headers) => {
        writer.begin()
        for (const { key, value } of headers) {
          const name = encodeText(key)
          if (typeof value === 'number') writer.addDigits(name, value)
          else writer.addNamed(encodeText(`(${key})`), 1, name.length, value, 0, value.length)
        }
        return writer.finish(hasExpiry)
      })
      for (const [n, { bytes, at, firstAt, end, hasExpiry: says }] of written.entries()) {
        const values = all[n]!.map(({ key, value }) => ({ key, value: typeof value === 'number' ? String(value) : value }))
        const expected = encodeHeaders(values)
        expect(Buffer.compare(bytes.subarray(at, end), expected.bytes)).toBe(0)
        expect([firstAt - at, says]).toEqual([expected.firstAt, hasExpiry])
      }
    }),
  )
})

test('numbers are multiplied by tens', () => {
  const writer = new HeaderWriter(new Slab())
  const text = (value: number, scale: number): string => {
    writer.begin()
    writer.addDigits(encodeText('n'), value, scale)
    const { bytes, firstAt, end } = writer.finish(false)
    return new TextDecoder().decode(bytes.subarray(firstAt + 3, end))
  }
  expect([text(0, 3), text(7, 3), text(1_700_000_000, 3), text(2 ** 53 - 1, 3)]).toEqual([
    '0',
    '7000',
    '1700000000000',
    '9007199254740991000',
  ])
})
