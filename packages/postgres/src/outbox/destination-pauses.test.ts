import { expect, test } from 'vitest'
import { DestinationPauses, retryDelayMs } from './destination-pauses.ts'

test('a pause grows with each failure up to a bound, and ends with a success', () => {
  const pauses = new DestinationPauses({ min: 100_000, max: 1_000_000 })
  expect([pauses.paused, pauses.nextMs]).toEqual([[], Infinity])
  pauses.failed('queue:a')
  expect(pauses.paused).toEqual(['queue:a'])
  expect(pauses.nextMs).toBeLessThanOrEqual(100_000)
  for (let n = 0; n < 9; n++) pauses.failed('queue:a')
  expect(pauses.nextMs).toBeGreaterThan(700_000)
  expect(pauses.nextMs).toBeLessThanOrEqual(1_000_000)
  pauses.failed('queue:b')
  expect(pauses.nextMs).toBeLessThanOrEqual(100_000)
  pauses.succeeded('queue:a')
  expect(pauses.paused).toEqual(['queue:b'])
})

test('the delay doubles, less up to a quarter', () => {
  for (let failures = 0; failures < 100; failures++) {
    const full = Math.min(5000, 10 * 2 ** failures)
    const delayMs = retryDelayMs({ min: 10, max: 5000 }, failures)
    expect(delayMs).toBeGreaterThan(full * 0.74)
    expect(delayMs).toBeLessThanOrEqual(full)
  }
})
