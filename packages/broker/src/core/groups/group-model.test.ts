import { expect, test } from 'vitest'
import { GroupModel } from '../../../test/core/group-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 20)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('generations do not overlap, stale commits are refused, and offsets survive, whoever crashes', async () => {
  const sums = { generations: 0, commits: 0, refused: 0, replaced: 0, crashes: 0 }
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    try {
      const model = await GroupModel.open(seed, seed % 5 === 0 ? 50 : 3 + (seed % 7))
      await model.run(1500)
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += model.counts[key]
    } catch (error) {
      throw new Error(
        `seed ${seed}: CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/groups/group-model.test.ts`,
        { cause: error },
      )
    }
  }
  expect(sums.generations).toBeGreaterThan(20 * SEEDS)
  expect(sums.commits).toBeGreaterThan(20 * SEEDS)
  expect(sums.refused).toBeGreaterThan(SEEDS)
  expect(sums.replaced).toBeGreaterThan(SEEDS)
  expect(sums.crashes).toBeGreaterThan(SEEDS)
})
