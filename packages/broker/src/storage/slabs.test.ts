import { expect, test } from 'vitest'
import { Slabs } from './slabs.ts'

test('pieces are zero and do not overlap, however many and large', () => {
  const slabs = new Slabs()
  const pieces = Array.from({ length: 500 }, (_, n) => slabs.take((n * 37) % 3000))
  for (const [n, piece] of pieces.entries()) {
    expect(piece.length).toBe((n * 37) % 3000)
    expect(piece.every((byte) => byte === 0)).toBe(true)
    piece.fill(1 + (n % 255))
  }
  for (const [n, piece] of pieces.entries()) expect(piece.every((byte) => byte === 1 + (n % 255))).toBe(true)
})

test('small pieces share memory', () => {
  const slabs = new Slabs()
  const buffers = new Set(Array.from({ length: 100 }, () => slabs.take(100).buffer))
  expect(buffers.size).toBe(1)
})
