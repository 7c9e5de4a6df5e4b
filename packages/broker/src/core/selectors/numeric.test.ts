import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ArithmeticOperator, calculate, equalNumbers, INT64_MAX, narrowed, minus, type Numeric } from './numeric.ts'

const INT64_MIN = -INT64_MAX - 1n
const edges = [0n, 1n, 2n ** 53n, 2n ** 31n, 2n ** 62n, INT64_MAX]
const integer = fc
  .oneof(
    fc.bigInt(INT64_MIN, INT64_MAX),
    fc.bigInt(-20n, 20n),
    fc.tuple(fc.constantFrom(...edges), fc.bigInt(-2n, 2n)).map(([edge, more]) => edge + more),
  )
  .chain((value) => fc.constantFrom(value, -value))
  .filter((value) => value >= INT64_MIN && value <= INT64_MAX)

function expected(operator: ArithmeticOperator, a: bigint, b: bigint): bigint | 'inexact' | undefined {
  if (operator === '+') return a + b
  if (operator === '-') return a - b
  if (operator === '*') return a * b
  if (b === 0n) return undefined
  if (operator === '%') return a % b
  return a % b === 0n ? a / b : 'inexact'
}

test('integers of 64 bits are exact, and whatever is larger is the nearest double', () => {
  fc.assert(
    fc.property(integer, integer, fc.constantFrom<ArithmeticOperator>('+', '-', '*', '/', '%'), (a, b, operator) => {
      const result = calculate(operator, narrowed(a), narrowed(b))
      const exact = expected(operator, a, b)
      if (exact === undefined) expect(result).toBeUndefined()
      else if (exact === 'inexact') expect(result).toBe(Number(a) / Number(b))
      else if (exact < INT64_MIN || exact > INT64_MAX) expect(result).toBe(Number(exact))
      else expect(equalNumbers(result!, exact)).toBe(true)
    }),
    { numRuns: 3000 },
  )
})

test('a bigint is used only where a number would not be exact', () => {
  fc.assert(
    fc.property(integer, (value) => {
      const form = narrowed(value)
      expect(typeof form).toBe(Number.isSafeInteger(Number(value)) ? 'number' : 'bigint')
      expect(BigInt(form)).toBe(value)
      if (value > INT64_MIN) expect(minus(form)).toBe(narrowed(-value) === 0 ? -0 : narrowed(-value))
    }),
  )
  expect(minus(INT64_MIN)).toBe(2 ** 63)
})

test.each<[Numeric, Numeric, boolean]>([
  [2n ** 53n, 2 ** 53, true],
  [2n ** 53n + 1n, 2 ** 53, false],
  [1, 1n, true],
  [1.5, 1n, false],
  [1n, Number.NaN, false],
  [Infinity, 2n ** 70n, false],
  [Number.NaN, Number.NaN, false],
  [-0, 0, true],
])('%s = %s: %s', (left, right, expectedEqual) => {
  expect(equalNumbers(left, right)).toBe(expectedEqual)
  expect(equalNumbers(right, left)).toBe(expectedEqual)
})

test.each<[ArithmeticOperator, Numeric, Numeric, number | undefined]>([
  ['+', 2n ** 60n, 0.5, 2 ** 60],
  ['*', 0.5, 2n ** 60n, 2 ** 59],
  ['/', 2n ** 60n, 2.5, 2 ** 60 / 2.5],
  ['/', 7, 2, 3.5],
  ['%', 2n ** 60n, 0, undefined],
  ['/', 1e300, 0, undefined],
  ['+', 1e300, 2n ** 60n, 1e300],
])('%s of %s and %s is %s', (operator, left, right, result) => expect(calculate(operator, left, right)).toBe(result))
