import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RangeSet } from './range-set.ts'

test('a range set is the set of its offsets, in as few ranges as possible', () => {
  const offset = fc.integer({ min: 0, max: 60 })
  const change = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), first: offset, length: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ kind: fc.constant('removeBelow' as const), first: offset, length: fc.constant(0) }),
  )
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 60 }),
      fc.array(fc.tuple(offset, offset), { maxLength: 20 }),
      (changes, questions) => {
        const ranges = new RangeSet()
        const offsets = new Set<number>()
        for (const { kind, first, length } of changes) {
          if (kind === 'add') {
            ranges.add(first, first + length)
            for (let n = first; n < first + length; n++) offsets.add(n)
          } else {
            ranges.removeBelow(first)
            for (const n of offsets) if (n < first) offsets.delete(n)
          }
        }
        const members = [...offsets].toSorted((a, b) => a - b)
        const firsts = members.filter((n) => !offsets.has(n - 1))
        const ends = members.filter((n) => !offsets.has(n + 1)).map((n) => n + 1)
        expect(Array.from({ length: ranges.count }, (_, n) => [ranges.first(n), ranges.end(n)])).toEqual(
          firsts.map((first, n) => [first, ends[n]]),
        )
        for (const [first, end] of questions) {
          expect(ranges.covered(first, end)).toBe(members.filter((n) => n >= first && n < end).length)
        }
      },
    ),
  )
})
