import { expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'

test('fixed stays, exponential grows up to its maximum', () => {
  expect([1, 2, 9].map((attempts) => backoffMs({ kind: 'fixed', initialMs: 500 }, attempts, 0.5))).toEqual([500, 500, 500])
  const growing = { kind: 'exponential', initialMs: 100, maxMs: 1000 } as const
  expect([1, 2, 3, 4, 5, 2000].map((attempts) => backoffMs(growing, attempts, 0))).toEqual([100, 200, 400, 800, 1000, 1000])
  expect(backoffMs({ kind: 'exponential', initialMs: 100, factor: 3 }, 3, 0)).toBe(900)
})

test('jitter shortens by its share at most', () => {
  const backoff = { kind: 'fixed', initialMs: 1000, jitter: 0.4 } as const
  expect([0, 0.5, 1].map((random) => backoffMs(backoff, 1, random))).toEqual([1000, 800, 600])
})
