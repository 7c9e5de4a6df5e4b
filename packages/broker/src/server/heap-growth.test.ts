import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { nextGrowthPercent } from './heap-growth.ts'

const MIB = 1024 * 1024
const PREPARE = `import { letHeapGrow } from '${new URL('../../dist/server/heap-growth.js', import.meta.url).href}'; letHeapGrow()`

/** Of a process that makes much of which a part survives for a while, in many turns: the largest that its young generation became. */
function youngBytesMax(prepare: string): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    ${prepare}
    let kept = []
    let most = 0
    for (let turn = 0; turn < 400; turn++) {
      for (let n = 0; n < 10_000; n++) kept.push({ n, list: [n] })
      if (kept.length > 100_000) kept = []
      await new Promise((resolve) => setTimeout(resolve, 1))
      most = Math.max(most, getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size)
    }
    console.log(most)`
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }))
}

test('the young generation of a broker stops growing long before V8 would end it', () => {
  expect(youngBytesMax('')).toBeGreaterThanOrEqual(32 * MIB)
  const bounded = youngBytesMax(PREPARE)
  expect(bounded).toBeLessThanOrEqual(24 * MIB)
  expect(bounded).toBeGreaterThanOrEqual(8 * MIB)
}, 30_000)

/** Of a process that has 10 to 15 MiB at any time and exchanges them bit by bit: the most that its heap takes, without the young generation. */
function oldBytesMax(prepare: string): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    ${prepare}
    const kept = []
    let most = 0
    for (let turn = 0; turn < 300; turn++) {
      kept.push(Array.from({ length: 8192 }, (_, n) => ({ n, next: [n] })))
      if (kept.length > 16) kept.shift()
      await new Promise((resolve) => setTimeout(resolve, 20))
      most = Math.max(most, getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space').space_used_size)
    }
    console.log(most)`
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }))
}

test('a heap with little to do stays well below what V8 would let it have', () => {
  expect(oldBytesMax(PREPARE)).toBeLessThan(0.75 * oldBytesMax(''))
}, 60_000)

test.each([
  ['at a busy time it may grow further', 100, 100, 250],
  ['that collections are rarer then is no reason to take it back', 250, 400, 250],
  ['it is taken back when they would be rare without', 250, 600, 100],
  ['at a quiet time it stays', 100, 5000, 100],
])('%s', (_, percent, sinceLastMs, next) => {
  expect(nextGrowthPercent(percent, sinceLastMs)).toBe(next)
})
