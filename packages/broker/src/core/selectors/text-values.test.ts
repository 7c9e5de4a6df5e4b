import fc from 'fast-check'
import { expect, test } from 'vitest'
import { numberIn, textAs } from './text-values.ts'

test.each([
  ['0', 0],
  ['007', 7],
  ['123456789012345', 123456789012345],
  ['-12', -12],
  ['+12', 12],
  ['2.50', 2.5],
  ['.5', 0.5],
  ['5.', 5],
  ['-1.5e-3', -0.0015],
  ['1E3', 1000],
  ['9007199254740993', 9007199254740993n],
  ['+9223372036854775807', 9223372036854775807n],
  ['-9223372036854775808', -9223372036854775808n],
  ['9223372036854775808', 2 ** 63],
  ['', undefined],
  [' 1', undefined],
  ['1 ', undefined],
  ['1,5', undefined],
  ['0x10', undefined],
  ['1_000', undefined],
  ['1L', undefined],
  ['1e', undefined],
  ['.', undefined],
  ['-', undefined],
  ['--1', undefined],
  ['NaN', undefined],
  ['Infinity', undefined],
  ['1e999', undefined],
  ['١', undefined],
  ['1'.repeat(65), undefined],
])('the number in %j is %s', (text, expected) => expect(numberIn(text)).toBe(expected))

test('numbers survive as texts', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(Number(numberIn(String(value)))).toBe(value === 0 ? 0 : value)
    }),
  )
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => {
      expect(BigInt(numberIn(String(value))!)).toBe(value)
    }),
  )
})

test('a text stays one where it says nothing else', () => {
  expect(textAs('5', 'number')).toBe(5)
  expect(textAs('5', 'string')).toBe('5')
  expect(textAs('5', 'any')).toBe('5')
  expect(textAs('5', 'boolean')).toBe('5')
  expect(textAs('x', 'number')).toBe('x')
  expect(textAs('TRUE', 'boolean')).toBe(true)
  expect(textAs('false', 'boolean')).toBe(false)
  expect(textAs('maybe', 'boolean')).toBe('maybe')
  expect(textAs('true', 'string')).toBe('true')
})
