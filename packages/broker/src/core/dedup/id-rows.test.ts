import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdRows } from './id-rows.ts'

interface Id {
  readonly partition: number
  readonly offset: number
  readonly timeMs: number
}

test('tells of each id what was said of it, and where its row ends', () => {
  const more = fc.record({
    count: fc.integer({ min: 1, max: 40 }),
    partition: fc.nat({ max: 1 }),
    skipped: fc.nat({ max: 1 }),
    laterMs: fc.nat({ max: 1 }),
    dropped: fc.nat({ max: 60 }),
    shrinks: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(more, { maxLength: 60 }), fc.constantFrom(0, 2 ** 40), (program, start) => {
      const rows = new IdRows()
      const ids: Id[] = []
      let first = 0
      const ends: number[] = [0, 0]
      let timeMs = 5
      for (const { count, partition, skipped, laterMs, dropped, shrinks } of program) {
        timeMs += laterMs
        ends[partition]! += skipped
        for (let n = 0; n < count; n++) {
          const id = { partition, offset: ends[partition]!++, timeMs }
          rows.add(start + ids.length, id.partition, id.offset, id.timeMs)
          ids.push(id)
        }
        first = Math.min(ids.length, first + dropped)
        rows.drop(start + first)
        if (shrinks) rows.shrink()
        for (let n = first; n < ids.length; n++) {
          const ordinal = start + n
          const told = { partition: rows.partition(ordinal), offset: rows.offset(ordinal), timeMs: rows.timeMs(ordinal) }
          expect(told).toEqual(ids[n])
          expect(rows.rowEnd(ordinal, start + ids.length) - start).toBe(rowEnd(ids, n))
          expect(rows.rowEnd(ordinal, ordinal + 1)).toBe(ordinal + 1)
        }
      }
    }),
  )
})

function rowEnd(ids: readonly Id[], from: number): number {
  const { partition, offset, timeMs } = ids[from]!
  let n = from
  while (n < ids.length && ids[n]!.partition === partition && ids[n]!.timeMs === timeMs && ids[n]!.offset === offset + n - from)
    n++
  return n
}

test('gives memory back', () => {
  const rows = new IdRows()
  const small = rows.bytes
  for (let ordinal = 0; ordinal < 1000; ordinal++) rows.add(ordinal, 0, ordinal, ordinal)
  expect(rows.bytes).toBe(1024 * 28)
  rows.drop(999)
  rows.shrink()
  expect(rows.bytes).toBe(small)
  expect(rows.timeMs(999)).toBe(999)
})

test('ids side by side that came together take one row', () => {
  const rows = new IdRows()
  const small = rows.bytes
  for (let ordinal = 0; ordinal < 1_000_000; ordinal++) rows.add(ordinal, 3, 70 + ordinal, 5)
  expect(rows.bytes).toBe(small)
  expect(rows.offset(999_999)).toBe(1_000_069)
})
