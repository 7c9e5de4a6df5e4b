import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RangeMap } from './range-map.ts'
import { removeOffsets } from './delivery-state.ts'

interface Range {
  first: number
  last: number
}

test('holds what a set of offsets holds, through any changes', () => {
  const change = fc.record({
    kind: fc.constantFrom('insert', 'remove', 'grow'),
    at: fc.nat(3000),
    length: fc.integer({ min: 1, max: 9 }),
  })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 800, size: 'max' }), (changes) => {
      const map = new RangeMap<Range>()
      const model = new Set<number>()
      for (const { kind, at, length } of changes) {
        const last = at + length - 1
        if (kind === 'remove') {
          let expected = 0
          for (let offset = at; offset <= last; offset++) if (model.delete(offset)) expected++
          expect(removeOffsets(map, at, last, (_, from, to) => ({ first: from, last: to }))).toBe(expected)
        } else {
          let end = at
          while (end <= last && !model.has(end)) end++
          if (end === at) continue
          const before = kind === 'grow' ? map.endingBefore(at) : undefined
          if (before === undefined) map.insert({ first: at, last: end - 1 })
          else map.grow(before, end - 1)
          for (let offset = at; offset < end; offset++) model.add(offset)
        }
        expect(map.from(at)?.last ?? -1).toBeGreaterThanOrEqual(map.from(at) === undefined ? -1 : at)
      }
      const sorted = [...model].toSorted((a, b) => a - b)
      const ranges = [...map]
      expect(ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, n) => first + n))).toEqual(sorted)
      expect([map.offsets, map.ranges]).toEqual([sorted.length, ranges.length])
      expect([map.first(), map.last()]).toEqual([ranges[0], ranges.at(-1)])
      for (let offset = 0; offset < 3010; offset += 7) {
        expect(map.from(offset)).toBe(ranges.find((range) => range.last >= offset))
        expect(map.before(offset)).toBe(ranges.findLast((range) => range.first < offset))
      }
    }),
    { numRuns: 40 },
  )
})

test('takes a million fragments', () => {
  const map = new RangeMap<Range>()
  for (let n = 0; n < 1_000_000; n++) map.insert({ first: 2 * n, last: 2 * n })
  for (let n = 0; n < 200_000; n++) {
    // All over the place.
    const offset = 2 * ((n * 611_953) % 1_000_000)
    map.remove(map.from(offset)!)
  }
  expect(map.ranges).toBe(800_000)
})
