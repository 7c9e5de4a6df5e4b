import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'

const MIB = 1024 * 1024
const built = new URL('../../dist/server/heap-growth.js', import.meta.url).href

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
  const bounded = youngBytesMax(`import { letHeapGrow } from '${built}'; letHeapGrow()`)
  expect(bounded).toBeLessThanOrEqual(24 * MIB)
  expect(bounded).toBeGreaterThanOrEqual(8 * MIB)
}, 30_000)
