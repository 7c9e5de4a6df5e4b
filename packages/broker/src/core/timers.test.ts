import { expect, test } from 'vitest'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { Timers } from './timers.ts'

test('deadlines come in order and not before their time, over one timer of the platform', async () => {
  const platform = new VirtualPlatform(7)
  const timers = new Timers(platform.clock, platform.scheduler)
  const fired: { atMs: number; wantedMs: number }[] = []
  const wanted = Array.from({ length: 500 }, () => platform.below(10_000_000))
  for (const wantedMs of wanted) timers.add(wantedMs, { due: (nowMs) => fired.push({ atMs: nowMs, wantedMs }) })
  platform.stepWallClock(-3_600_000)
  await platform.advance(10_000_000)
  expect(fired.map((each) => each.wantedMs)).toEqual(wanted.toSorted((a, b) => a - b))
  for (const { atMs, wantedMs } of fired) expect(atMs).toBe(wantedMs)
  expect(timers.size).toBe(0)
})
