import { encodeText } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyTable } from '../../../../test/amqp/any-method.ts'
import { checkTable, decodeTable, encodeTable, FieldTable, longValue, timestampValue, TypedValue } from './field-table.ts'
import type { FieldValue, PlainTable } from './field-table.ts'

const decoded = (bytes: Uint8Array): FieldTable => decodeTable(bytes, 0, bytes.length)
const octets = (text: string): number[] => [...encodeText(text)]

/** A table with one entry `k`. */
const entry = (type: string, ...content: readonly number[]): Uint8Array =>
  Uint8Array.from([1, ...octets('k'), ...octets(type), ...content])

test('a table is written byte for byte as it was read', () => {
  fc.assert(
    fc.property(anyTable, (table) => {
      const bytes = encodeTable(table)
      checkTable(bytes, 0, bytes.length)
      expect(encodeTable(decoded(bytes))).toEqual(bytes)
    }),
    { numRuns: 1000 },
  )
})

const largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]

test.each<readonly [string, readonly number[], unknown]>([
  ['t', [1], true],
  ['t', [0], false],
  ['b', [0xff], -1],
  ['B', [0xff], 255],
  ['s', [0xff, 0xfe], -2],
  ['u', [0xff, 0xfe], 65_534],
  ['I', [0xff, 0xff, 0xff, 0xff], -1],
  ['i', [0xff, 0xff, 0xff, 0xff], 4_294_967_295],
  ['l', [0, 0, 0, 1, 0, 0, 0, 0], 4_294_967_296],
  ['l', [0, 0, 0, 0, 0, 0, 0, 7], 7],
  ['l', [0x7f, ...largest.slice(1)], 2n ** 63n - 1n],
  ['L', largest, -1],
  ['f', [0x3f, 0xc0, 0, 0], 1.5],
  ['d', [0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 1.5],
  ['d', [0x3f, 0xf0, 0, 0, 0, 0, 0, 0], 1],
  ['D', [2, 0, 0, 0x01, 0x3a], 3.14],
  ['T', [0, 0, 0, 0, 0x65, 0, 0, 0], 0x6500_0000],
  ['T', largest, 2n ** 64n - 1n],
  ['V', [], null],
  ['S', [0, 0, 0, 2, 0xc3, 0xa4], 'ä'],
  ['S', [0, 0, 0, 1, 0xe4], Uint8Array.of(0xe4)],
  ['x', [0, 0, 0, 1, 5], Uint8Array.of(5)],
  ['A', [0, 0, 0, 4, ...octets('t'), 1, ...octets('V'), ...octets('V')], [true, null, null]],
  ['F', [0, 0, 0, 0], new FieldTable()],
])('type %s with %j', (type, content, value) => {
  const bytes = entry(type, ...content)
  const read = decoded(bytes).get('k') as FieldValue
  expect(read instanceof TypedValue ? read.value : read).toEqual(value)
  expect(encodeTable(decoded(bytes))).toEqual(bytes)
})

test('what is not a number in JavaScript keeps its bits', () => {
  const bytes = entry('d', 0x7f, 0xf8, 0, 0, 0, 0, 0, 7)
  expect(encodeTable(decoded(bytes))).toEqual(bytes)
  const bool = entry('t', 9)
  expect((decoded(bool).get('k') as TypedValue).value).toBe(true)
  expect(encodeTable(decoded(bool))).toEqual(bool)
})

test('plain objects become tables: text, whole numbers by size, others, booleans, bytes, tables, arrays', () => {
  const plain: PlainTable = {
    text: 'ä',
    small: -5,
    large: 2 ** 40,
    half: 0.5,
    yes: true,
    nothing: null,
    absent: undefined,
    bytes: Uint8Array.of(1),
    inner: { capability: true },
    list: ['a', 1, { deep: [] }],
    at: timestampValue(1_700_000_000),
    count: longValue(3),
  }
  const table = decoded(encodeTable(plain))
  expect(table.names).toEqual(Object.keys(plain).filter((name) => name !== 'absent'))
  expect(table.get('inner')).toEqual(new FieldTable(['capability'], [true]))
  expect(table.get('list')).toEqual(['a', 1, new FieldTable(['deep'], [[]])])
  expect([table.get('small'), table.get('large'), table.get('half')]).toEqual([-5, 2 ** 40, 0.5])
  expect((table.get('at') as TypedValue).value).toBe(1_700_000_000)
  expect(table.get('count')).toEqual(longValue(3))
  expect(table.get('absent')).toBeUndefined()
})

test('of names that come twice the first counts, and both are written again', () => {
  const bytes = Uint8Array.from([...entry('t', 1), ...entry('t', 0)])
  expect(decoded(bytes).get('k')).toBe(true)
  expect(encodeTable(decoded(bytes))).toEqual(bytes)
})

test('tables inside each other end at the limit', () => {
  const deepest = nested(32)
  expect(encodeTable(decoded(deepest))).toEqual(deepest)
  checkTable(deepest, 0, deepest.length)
  const tooDeep = nested(33)
  const refused = expect.objectContaining({ reply: 'syntax-error' })
  expect(() => decoded(tooDeep)).toThrow(refused)
  expect(() => checkTable(tooDeep, 0, tooDeep.length)).toThrow(refused)
})

test('arrays inside each other end at the limit', () => {
  let inner: number[] = []
  for (let n = 0; n < 40; n++) inner = [...octets('A'), ...lengthOf(Uint8Array.from(inner)), ...inner]
  const bytes = Uint8Array.from([1, ...octets('k'), ...inner])
  expect(() => decoded(bytes)).toThrow('inside each other')
  expect(() => checkTable(bytes, 0, bytes.length)).toThrow('inside each other')
})

test('a table that ends early is refused at every byte, unless an entry ends there', () => {
  fc.assert(
    fc.property(anyTable, (table) => {
      const bytes = encodeTable(table)
      const ends = new Set(table.names.map((_, n) => encodeTable(new FieldTable(table.names.slice(0, n), table.values)).length))
      for (let end = 0; end < bytes.length; end++) {
        const read = (): unknown => decodeTable(bytes, 0, end)
        if (ends.has(end)) expect(read).not.toThrow()
        else expect(read).toThrow(expect.objectContaining({ reply: 'syntax-error' }))
        expect(outcome(() => checkTable(bytes, 0, end))).toBe(outcome(read))
      }
    }),
    { numRuns: 50 },
  )
})

function nested(depth: number): Uint8Array {
  let inner: Uint8Array = new Uint8Array(0)
  for (let n = 1; n < depth; n++) inner = entry('F', ...lengthOf(inner), ...inner)
  return inner
}

function outcome(read: () => unknown): string | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

function lengthOf(bytes: Uint8Array): readonly number[] {
  return [bytes.length >>> 24, (bytes.length >>> 16) & 255, (bytes.length >>> 8) & 255, bytes.length & 255]
}

test('a name that is not UTF-8', () => {
  const bytes = Uint8Array.from([1, 0xe4, ...octets('V')])
  expect(() => decoded(bytes)).toThrow(expect.objectContaining({ reply: 'syntax-error' }))
  checkTable(bytes, 0, bytes.length)
})
