import { expect, test } from 'vitest'
import { Heartbeats } from './heartbeats.ts'

/** As the listeners do. */
const TICK_MS = 500

test('of a second are never more than a tick apart, also when the last one is what was sent', () => {
  const heartbeats = new Heartbeats()
  heartbeats.start(1)
  const due: number[] = []
  for (let nowMs = 0; nowMs <= 5000; nowMs += TICK_MS) {
    heartbeats.received()
    if (heartbeats.tick(nowMs, false) !== 'send') continue
    heartbeats.sent()
    due.push(nowMs)
  }
  expect(due).toEqual([500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000])
})

test('are not sent while there is traffic', () => {
  const heartbeats = new Heartbeats()
  heartbeats.start(2)
  for (let nowMs = 0; nowMs <= 10_000; nowMs += TICK_MS) {
    heartbeats.received()
    heartbeats.sent()
    expect(heartbeats.tick(nowMs, false)).toBeUndefined()
  }
})

test('a side that misses two is lost, unless nothing was read', () => {
  const heartbeats = new Heartbeats()
  heartbeats.start(1)
  const results = [0, 1000, 2000, 3000, 3001].map((nowMs) => heartbeats.tick(nowMs, nowMs === 0) === 'lost')
  expect(results).toEqual([false, false, false, false, true])
  expect(heartbeats.tick(4000, true)).not.toBe('lost')
})

test('there are none unless both sides agreed on it', () => {
  const heartbeats = new Heartbeats()
  heartbeats.start(0)
  expect(heartbeats.tick(1_000_000, false)).toBeUndefined()
})
