import fc from 'fast-check'
import { expect, test } from 'vitest'
import { digitCount, readDigits, writeDigits } from './digits.ts'
import { encodeText } from './text.ts'

const edges = Array.from({ length: 16 }, (_, n) => [10 ** n - 1, 10 ** n]).flat()

test('numbers are written as text has them, and read back', () => {
  const value = fc.oneof(fc.constantFrom(...edges, Number.MAX_SAFE_INTEGER), fc.maxSafeNat())
  fc.assert(
    fc.property(value, fc.nat({ max: 5 }), (number, at) => {
      const text = String(number)
      const bytes = new Uint8Array(30)
      expect(digitCount(number)).toBe(text.length)
      const end = writeDigits(bytes, at, number, text.length)
      expect(end).toBe(at + text.length)
      expect(bytes.subarray(at, end)).toEqual(encodeText(text))
      expect(bytes.filter((byte) => byte !== 0)).toHaveLength(text.length)
      expect(readDigits(bytes, at, end)).toBe(number)
    }),
  )
})

test.each(['', '-1', '1.5', ' 1', 'x', '1e3'])('%j is no number', (text) => {
  expect(readDigits(encodeText(text), 0, text.length)).toBeNaN()
})
