import { expect, test } from 'vitest'
import { DedupModel } from '../../../test/core/dedup-model.ts'
import { playSeeds } from '../../../test/core/seeds.ts'

test('what was published is stored once, and what was not is not taken for a duplicate, whatever crashes', async () => {
  let duplicates = 0
  let fencings = 0
  const seeds = await playSeeds(60, async (seed) => {
    const model = await DedupModel.open(seed)
    await model.run(200)
    duplicates += model.duplicates
    fencings += model.fencings
  })
  expect(duplicates).toBeGreaterThan(20 * seeds)
  expect(fencings).toBeGreaterThan(seeds / 2)
})
