import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BytePool } from './byte-pool.ts'

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

test('copies stay as they are, small and large', () => {
  const pool = new BytePool()
  const sizes = [0, 1, 8191, 8192, 70_000, 3]
  const copies = sizes.map((size, n) => pool.copy(bytes(size, n)))
  expect(copies).toEqual(sizes.map((size, n) => bytes(size, n)))
})

test('a large buffer that was given back is used again', () => {
  const pool = new BytePool()
  const first = pool.copy(bytes(20_000, 1))
  pool.giveBack(first)
  const second = pool.copy(bytes(18_000, 2))
  expect(second.buffer).toBe(first.buffer)
  expect(second).toEqual(bytes(18_000, 2))
})

test('small copies share their buffer, which is used again when all of them were given back', () => {
  const pool = new BytePool()
  const first = pool.copy(bytes(100, 1))
  const second = pool.copy(bytes(100, 2))
  expect(second.buffer).toBe(first.buffer)
  pool.giveBack(first)
  const filling = Array.from({ length: 20 }, (_, n) => pool.copy(bytes(8000, n)))
  expect(second).toEqual(bytes(100, 2))
  pool.giveBack(second)
  for (const copy of filling) pool.giveBack(copy)
  const buffers = new Set([first, ...filling].map((copy) => copy.buffer))
  const again = Array.from({ length: 20 }, (_, n) => pool.copy(bytes(8000, n)))
  expect(again.every((copy) => buffers.has(copy.buffer))).toBe(true)
  expect(again).toEqual(Array.from({ length: 20 }, (_, n) => bytes(8000, n)))
})

test('a copy never changes before it is given back', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.boolean(), fc.nat()), { maxLength: 300 }), (steps) => {
      const pool = new BytePool()
      const live: { copy: Uint8Array; value: number }[] = []
      steps.forEach(([size, frees, pick], value) => {
        live.push({ copy: pool.copy(bytes(size, value % 256)), value: value % 256 })
        if (frees) pool.giveBack(live.splice(pick % live.length, 1)[0]!.copy)
      })
      for (const { copy, value } of live) expect(copy.every((byte) => byte === value)).toBe(true)
    }),
    { numRuns: 50 },
  )
})
