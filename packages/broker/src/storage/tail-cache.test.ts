import { expect, test } from 'vitest'
import { Lease } from '../base/lease.ts'
import { CommitMemory, type MemoryBlock } from './commit-memory.ts'
import { TailCache, type CommitBytes } from './tail-cache.ts'

const commit = (...parts: [start: number, bytes: number[]][]): CommitBytes => ({
  starts: parts.map(([start]) => start),
  parts: parts.map(([, bytes]) => Uint8Array.from(bytes)),
  bytes: parts.reduce((sum, [, bytes]) => sum + bytes.length, 0),
  blocks: [],
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

test.each([
  ['large', 3000, 3500],
  ['small', 500, 532],
])('the oldest of %s commits go when there are too many bytes, counting what a commit costs besides them', (_, bytes, cost) => {
  const cache = new TailCache(70_000)
  const kept = Math.floor(70_000 / cost)
  for (let seq = 0; seq < 5000; seq++) cache.add(seq, commit([64, Array.from({ length: bytes }, () => seq % 256)]))
  expect(cache.bytes).toBe(kept * cost)
  expect(cache.get(4999 - kept, 64, 1)).toBeUndefined()
  for (let seq = 5000 - kept; seq < 5000; seq++) expect(cache.get(seq, 64, bytes)?.[bytes - 1]).toBe(seq % 256)
})

test('a small commit of several parts is one run of bytes, and has none before and after', () => {
  const cache = new TailCache(10_000)
  cache.add(0, commit([64, [1, 2]], [66, [3]]))
  cache.add(1, commit([64, [4]]))
  cache.add(2, commit())
  expect(cache.get(0, 64, 3)).toEqual(Uint8Array.of(1, 2, 3))
  expect([cache.get(0, 63, 1), cache.get(0, 66, 2), cache.get(1, 65, 1), cache.get(2, 0, 1)]).toEqual(Array.from({ length: 4 }))
})

test('what is on its way to the journal takes up to half of the room', () => {
  const cache = new TailCache(70_000)
  const cost = 3500
  for (let seq = 0; seq < 20; seq++) cache.add(seq, commit([64, Array.from({ length: 3000 }, () => seq)]))
  expect(cache.bytes).toBe(20 * cost)
  cache.leaveRoomFor(14_000)
  expect(cache.bytes).toBe(16 * cost)
  cache.leaveRoomFor(1_000_000)
  expect(cache.bytes).toBe(10 * cost)
  expect(cache.get(19, 64, 3000)?.[2999]).toBe(19)
})

test('after a gap the older commits are no longer there', () => {
  const cache = new TailCache(10_000)
  cache.add(1, commit([64, [1]]))
  cache.add(3, commit([64, [3]]))
  expect([cache.get(1, 64, 1), cache.get(2, 64, 1), cache.get(3, 64, 1)]).toEqual([undefined, undefined, Uint8Array.of(3)])
})

test('the memory of commits serves others again, unless somebody may still look at it', () => {
  const memory = new CommitMemory(10_000_000)
  const cache = new TailCache(450_000)
  const seen: MemoryBlock[] = []
  for (let seq = 0; seq < 3; seq++) {
    const blocks: MemoryBlock[] = []
    const part = memory.take(200_000, blocks)
    seen.push(...blocks)
    cache.add(seq, { starts: [64], parts: [part], bytes: part.length, blocks })
    if (seq === 1) cache.get(1, 64, 100_000)
  }
  expect(memory.take(200_000, []).buffer).toBe(seen[0]!.memory)
  cache.add(3, { starts: [], parts: [], bytes: 500_000, blocks: [] })
  expect(memory.take(200_000, []).buffer).toBe(seen[2]!.memory)
  expect(seen.map((block) => block.memory)).not.toContain(memory.take(200_000, []).buffer)
})

test('a few bytes of a large commit are copied: its memory serves others again, and they stay as they were', () => {
  const memory = new CommitMemory(10_000_000)
  const cache = new TailCache(300_000)
  const blocks: MemoryBlock[] = []
  const part = memory.take(200_000, blocks).fill(1)
  cache.add(0, { starts: [64], parts: [part], bytes: part.length, blocks })
  const seen = cache.get(0, 1000, 10_000)!
  cache.add(1, { starts: [], parts: [], bytes: 500_000, blocks: [] })
  const again = memory.take(200_000, [])
  expect(again.buffer).toBe(part.buffer)
  again.fill(2)
  expect(seen.every((byte) => byte === 1)).toBe(true)
})

/** A cache with one commit of one part, which begins at byte 64 of it. */
function cacheOfOne(): { readonly memory: CommitMemory; readonly cache: TailCache; readonly part: Uint8Array } {
  const memory = new CommitMemory(10_000_000)
  const cache = new TailCache(300_000)
  const blocks: MemoryBlock[] = []
  const part = memory.take(200_000, blocks).fill(1)
  cache.add(0, { starts: [64], parts: [part], bytes: part.length, blocks })
  return { memory, cache, part }
}

test('memory that is lent serves others again once the lease ended, and not before', () => {
  const { memory, cache, part } = cacheOfOne()
  const lease = new Lease()
  const seen = cache.get(0, 64, 100_000, lease)!
  cache.add(1, { starts: [], parts: [], bytes: 500_000, blocks: [] })
  expect(seen.buffer).toBe(part.buffer)
  expect(memory.take(200_000, []).buffer).not.toBe(part.buffer)
  lease.release()
  expect(memory.take(200_000, []).buffer).toBe(part.buffer)
})

test('few bytes are copied rather than lent, and without a lease more of them', () => {
  const { cache, part } = cacheOfOne()
  const lease = new Lease()
  const isLent = (length: number, to?: Lease): boolean => cache.get(0, 64, length, to)!.buffer === part.buffer
  expect([32_768, 32_769].map((length) => isLent(length, lease))).toEqual([false, true])
  expect([65_536, 65_537].map((length) => isLent(length))).toEqual([false, true])
  lease.release()
})
