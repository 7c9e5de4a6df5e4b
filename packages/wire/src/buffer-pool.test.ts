import { expect, test } from 'vitest'
import { BufferPool } from './buffer-pool.ts'

const KIB = 1024

test('a buffer that was given back is used again for what is about as long', () => {
  const pool = new BufferPool(1024 * KIB)
  const first = pool.take(20_000)
  expect(first.byteLength).toBe(24 * KIB)
  pool.giveBack(first)
  expect(pool.take(40_000)).not.toBe(first)
  expect(pool.take(17_000)).toBe(first)
  expect(pool.take(17_000)).not.toBe(first)
})

test('a buffer is at least as long as asked, and longer by an eighth or 8 KiB at most', () => {
  const pool = new BufferPool(0)
  for (const bytes of [1, 8192, 8193, 65_536, 70_000, 1_000_000, 4_200_000, 16_777_217]) {
    const { byteLength } = pool.take(bytes)
    expect(byteLength).toBeGreaterThanOrEqual(bytes)
    expect(byteLength - bytes).toBeLessThanOrEqual(Math.max(8192, bytes / 8))
  }
})

test('what is kept is bounded, and lengths that nobody wants make room', () => {
  const pool = new BufferPool(64 * KIB)
  const old = Array.from({ length: 10 }, () => pool.take(16 * KIB))
  for (const buffer of old) pool.giveBack(buffer)
  const again = Array.from({ length: 10 }, () => pool.take(16 * KIB))
  expect(again.filter((buffer) => old.includes(buffer)).length).toBeLessThanOrEqual(4)

  for (const buffer of again.slice(0, 4)) pool.giveBack(buffer)
  const wanted = pool.take(32 * KIB)
  pool.giveBack(wanted)
  expect(pool.take(32 * KIB)).toBe(wanted)

  const large = pool.take(100 * KIB)
  pool.giveBack(large)
  expect(pool.take(100 * KIB)).not.toBe(large)
})
