import { expect, test } from 'vitest'
import { IdIndex } from './id-index.ts'

const ROUND = 2 ** 32

/** Ordinals that a search for a first word meets. */
function all(index: IdIndex, first: number, start: number, size: number): number[] {
  const found: number[] = []
  for (let place = index.find(first, -1, start, size); place >= 0; place = index.find(first, place, start, size)) {
    found.push(index.ordinal(place) >>> 0)
  }
  return found.toSorted((a, b) => a - b)
}

test('an entry that left long ago does not come back when the count of ordinals comes round', () => {
  const index = new IdIndex(64, 0)
  const size = 20
  for (let ordinal = 0; ordinal < size; ordinal++) index.add(-1, ordinal, 0, ordinal)
  // Nobody asks about these buckets again: only cleaning can reach them.
  for (let ordinal = size; ordinal < 1000; ordinal++) index.add(3, ordinal, ordinal - 10, 10)
  expect(all(index, -1, ROUND, size)).toEqual([])
  expect(all(index, -1, ROUND + 900, size)).toEqual([])
  expect(all(index, 3, 990, 10)).toEqual([990, 991, 992, 993, 994, 995, 996, 997, 998, 999])
})

test('finds what had to go behind full buckets, also after those before it left', () => {
  const index = new IdIndex(64, 0)
  for (let ordinal = 0; ordinal < 64; ordinal++) index.add(5, ordinal, 0, ordinal)
  const ordinals = Array.from({ length: 64 }, (_, n) => n)
  expect(all(index, 5, 0, 64)).toEqual(ordinals)
  expect(all(index, 5, 40, 24)).toEqual(ordinals.slice(40))
  index.add(5, 64, 40, 24)
  expect(all(index, 5, 40, 25)).toEqual([...ordinals.slice(40), 64])
  expect(all(index, 6, 40, 25)).toEqual([])
})

test('ends a search in which every bucket says to go on', () => {
  const index = new IdIndex(16, 0)
  for (let bucket = 0; bucket < 4; bucket++) {
    // Seven fill it, and the eighth passes it.
    for (let n = 0; n < 8; n++) index.add(bucket, bucket * 8 + n, bucket * 8, n)
  }
  expect(all(index, 100, 0, 32)).toEqual([])
})
