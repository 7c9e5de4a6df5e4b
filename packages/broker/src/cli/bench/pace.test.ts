import { expect, test } from 'vitest'
import { Pace } from './pace.ts'

test('at a rate, messages are due by schedule, and latency counts from there for those that the broker held up', () => {
  const pace = new Pace(1000, 500, 100, 1_000_000)
  expect(pace.due(1000)).toBe(1)
  expect(pace.due(1099)).toBe(10)
  expect(pace.due(1100)).toBe(11)
  expect(pace.intendedMs(10, 1103)).toBe(1103)
  pace.held(1150)
  expect([pace.intendedMs(10, 1152), pace.intendedMs(15, 1152)]).toEqual([1100, 1152])
  expect([pace.finished(10, 1499), pace.finished(10, 1500)]).toEqual([false, true])
})

test('without a rate everything is due at once, up to the count', () => {
  const pace = new Pace(1000, Infinity, undefined, 42)
  expect(pace.due(1000)).toBe(42)
  expect(pace.intendedMs(10, 5000)).toBe(5000)
  expect([pace.finished(41, 1e9), pace.finished(42, 0)]).toEqual([false, true])
})

test('pausing ends when the message is about to be due', async () => {
  const startMs = performance.now()
  const pace = new Pace(startMs, 10_000, 100, 1000)
  while (pace.due(performance.now()) < 4) await pace.pause(3)
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(30)
  expect(performance.now() - startMs).toBeLessThan(1000)
})
