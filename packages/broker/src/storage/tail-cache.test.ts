import { expect, test } from 'vitest'
import { TailCache, type CommitBytes } from './tail-cache.ts'

const commit = (...parts: [start: number, bytes: number[]][]): CommitBytes => ({
  starts: parts.map(([start]) => start),
  parts: parts.map(([, bytes]) => Uint8Array.from(bytes)),
  bytes: parts.reduce((sum, [, bytes]) => sum + bytes.length, 0),
})

test('bytes are found by commit and position, inside of one part', () => {
  const cache = new TailCache(100_000)
  cache.add(7, commit([100, [1, 2, 3]], [200, [4, 5]]))
  expect(cache.get(7, 101, 2)).toEqual(Uint8Array.of(2, 3))
  expect(cache.get(7, 200, 2)).toEqual(Uint8Array.of(4, 5))
  expect([cache.get(7, 99, 1), cache.get(7, 102, 2), cache.get(7, 202, 1), cache.get(6, 100, 1), cache.get(8, 100, 1)]).toEqual(
    Array.from({ length: 5 }),
  )
})

test('the oldest commits go when there are too many bytes, counting what a commit costs besides them', () => {
  const cache = new TailCache(10_000)
  for (let seq = 0; seq < 5000; seq++) cache.add(seq, commit([64, Array.from({ length: 500 }, () => seq % 256)]))
  expect(cache.bytes).toBeLessThanOrEqual(10_000)
  expect(cache.get(4989, 64, 1)).toBeUndefined()
  for (let seq = 4990; seq < 5000; seq++) expect(cache.get(seq, 64, 500)?.[499]).toBe(seq % 256)
})

test('after a gap the older commits are no longer there', () => {
  const cache = new TailCache(10_000)
  cache.add(1, commit([64, [1]]))
  cache.add(3, commit([64, [3]]))
  expect([cache.get(1, 64, 1), cache.get(2, 64, 1), cache.get(3, 64, 1)]).toEqual([undefined, undefined, Uint8Array.of(3)])
})
