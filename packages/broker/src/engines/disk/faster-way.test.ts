import { expect, test } from 'vitest'
import { FasterWay } from './faster-way.ts'

const BYTES = 1_000_000

/** Goes `times` times, each way as long as `costs` say. @returns how often it went the second way, and how long it took */
function go(ways: FasterWay, clock: { nowMs: number }, times: number, costs: readonly [number, number]): [number, number] {
  const startedMs = clock.nowMs
  let second = 0
  for (let n = 0; n < times; n++) {
    const way = ways.choose(clock.nowMs)
    second += way
    clock.nowMs += costs[way]
    ways.took(way, BYTES, costs[way], clock.nowMs)
  }
  return [second, clock.nowMs - startedMs]
}

test.each([
  ['the first', [2, 10], 1],
  ['the second', [10, 2], 999],
] as const)('goes %s way where that is faster, and hardly ever the other', (_, costs, expected) => {
  const [second, ms] = go(new FasterWay(), { nowMs: 0 }, 1000, costs)
  expect(Math.abs(second - expected)).toBeLessThan(20)
  expect(ms).toBeLessThan(1000 * 2 * 1.06)
})

test('notices that the other way is faster by now', () => {
  const ways = new FasterWay()
  const clock = { nowMs: 0 }
  go(ways, clock, 1000, [2, 10])
  const [second] = go(ways, clock, 1000, [40, 10])
  expect(second).toBeGreaterThan(950)
  const [again] = go(ways, clock, 1000, [2, 10])
  expect(again).toBeLessThan(150)
})

test('a way that is far slower costs little to look at', () => {
  const ways = new FasterWay()
  const clock = { nowMs: 0 }
  go(ways, clock, 1, [1, 500])
  const [, ms] = go(ways, clock, 20_000, [1, 500])
  expect(ms).toBeLessThan(20_000 * 1.1)
})

test.each([
  [[2, 7], true],
  [[2, 9], false],
] as const)('the second way may take so many times as long as it is allowed, and no longer (%j)', (costs, isSecond) => {
  const ways = new FasterWay(4)
  const clock = { nowMs: 0 }
  go(ways, clock, 10, costs)
  const [second] = go(ways, clock, 1000, costs)
  // The other one is looked at every 100 ms.
  expect(isSecond ? 1000 - second : second).toBeLessThan(70)
})
