import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ABSENT, NumberTable } from './number-table.ts'

const numbers = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  // Many with one place, beyond 32 bits too.
  fc.integer({ min: 0, max: 30 }).map((n) => n * 2 ** 10),
  fc.integer({ min: 0, max: 30 }).map((n) => n * 2 ** 40),
  fc.maxSafeNat(),
)

test('holds what a map holds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), numbers, fc.nat()), { maxLength: 400 }), (steps) => {
      const table = new NumberTable()
      const map = new Map<number, number>()
      for (const [isSet, key, value] of steps) {
        if (isSet) {
          table.set(key, value)
          map.set(key, value)
        } else {
          expect(table.delete(key)).toBe(map.get(key) ?? ABSENT)
          map.delete(key)
        }
        expect(table.size).toBe(map.size)
      }
      for (const [, key] of steps) expect(table.get(key)).toBe(map.get(key) ?? ABSENT)
      expect([...table.keys()].toSorted((a, b) => a - b)).toEqual([...map.keys()].toSorted((a, b) => a - b))
    }),
    { numRuns: 300 },
  )
})

test('grows for many and shrinks again', () => {
  const table = new NumberTable()
  for (let n = 0; n < 100_000; n++) table.set(n * 7, n)
  for (let n = 0; n < 100_000; n++) expect(table.get(n * 7)).toBe(n)
  for (let n = 0; n < 99_990; n++) table.delete(n * 7)
  expect([...table.keys()]).toHaveLength(10)
  expect(table.get(99_995 * 7)).toBe(99_995)
})

test('keeps its size while it is filled and emptied, and shrinks when it was nearly empty for long', () => {
  const table = new NumberTable()
  const fillAndEmpty = (count: number): void => {
    for (let n = 0; n < count; n++) table.set(n, n)
    for (let n = 0; n < count; n++) table.delete(n)
  }
  fillAndEmpty(10_000)
  const { capacity } = table
  expect(capacity).toBeGreaterThanOrEqual(10_000)
  for (let round = 0; round < 100; round++) fillAndEmpty(10_000)
  expect(table.capacity).toBe(capacity)
  fillAndEmpty(10)
  for (let round = 0; round < capacity; round++) fillAndEmpty(10)
  expect(table.capacity).toBeLessThan(200)
})
