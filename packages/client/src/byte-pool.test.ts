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

test('small copies share their buffer, which is not used again', () => {
  const pool = new BytePool()
  const first = pool.copy(bytes(100, 1))
  pool.giveBack(first)
  const second = pool.copy(bytes(100, 2))
  expect(second.buffer).toBe(first.buffer)
  expect(first).toEqual(bytes(100, 1))
})
