import { expect, test } from 'vitest'
import { GroupModel } from '../../../test/core/group-model.ts'
import { addCounts, playSeeds } from '../../../test/core/seeds.ts'

test('generations do not overlap, stale commits are refused, and offsets survive, whoever crashes', async () => {
  const sums = { generations: 0, commits: 0, refused: 0, replaced: 0, crashes: 0 }
  const seeds = await playSeeds(20, async (seed) => {
    const model = await GroupModel.open(seed, seed % 5 === 0 ? 50 : 3 + (seed % 7))
    await model.run(1500)
    addCounts(sums, model.counts)
  })
  expect(sums.generations).toBeGreaterThan(20 * seeds)
  expect(sums.commits).toBeGreaterThan(20 * seeds)
  expect(sums.refused).toBeGreaterThan(seeds)
  expect(sums.replaced).toBeGreaterThan(seeds)
  expect(sums.crashes).toBeGreaterThan(seeds)
})
