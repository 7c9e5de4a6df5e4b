import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { nextGrowthPercent } from './heap-growth.ts'

const MIB = 1024 * 1024
const PREPARE = `import { letHeapGrow } from '${new URL('../../dist/server/heap-growth.js', import.meta.url).href}'; letHeapGrow()`

interface Work {
  readonly turns: number
  readonly pauseMs: number
  /** What it does in each turn, with `kept`, a list of its own. */
  readonly turn: string
  /** What of its heap is looked at. */
  readonly space: string
  readonly size: 'space_size' | 'space_used_size'
}

/** It makes much of which a part survives for a while. */
const busy: Work = {
  turns: 400,
  pauseMs: 1,
  turn: `
    for (let n = 0; n < 10_000; n++) kept.push({ n, list: [n] })
    if (kept.length > 100_000) kept.length = 0`,
  space: 'new_space',
  size: 'space_size',
}

/** It has 10 to 15 MiB at any time and exchanges them bit by bit. */
const quiet: Work = {
  turns: 300,
  pauseMs: 20,
  turn: `
    kept.push(Array.from({ length: 8192 }, (_, n) => ({ n, next: [n] })))
    if (kept.length > 16) kept.shift()`,
  space: 'old_space',
  size: 'space_used_size',
}

/** @returns the most bytes that were found in a process that does this */
function largest({ turns, pauseMs, turn, space, size }: Work, prepare: string): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    ${prepare}
    const kept = []
    let most = 0
    for (let turn = 0; turn < ${turns}; turn++) {
      ${turn}
      await new Promise((resolve) => setTimeout(resolve, ${pauseMs}))
      most = Math.max(most, getHeapSpaceStatistics().find(({ space_name: name }) => name === '${space}').${size})
    }
    console.log(most)`
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }))
}

test('the young generation of a broker stops growing long before V8 would end it', () => {
  expect(largest(busy, '')).toBeGreaterThanOrEqual(32 * MIB)
  const bounded = largest(busy, PREPARE)
  expect(bounded).toBeLessThanOrEqual(24 * MIB)
  expect(bounded).toBeGreaterThanOrEqual(8 * MIB)
}, 30_000)

test('a heap with little to do stays well below what V8 would let it have', () => {
  expect(largest(quiet, PREPARE)).toBeLessThan(0.75 * largest(quiet, ''))
}, 60_000)

test.each([
  ['at a busy time it may grow further', 100, 100, 250],
  ['that collections are rarer then is no reason to take it back', 250, 400, 250],
  ['it is taken back when they would be rare without', 250, 600, 100],
  ['at a quiet time it stays', 100, 5000, 100],
])('%s', (_, percent, sinceLastMs, next) => {
  expect(nextGrowthPercent(percent, sinceLastMs)).toBe(next)
})
