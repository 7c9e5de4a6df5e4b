import { expect, test } from 'vitest'
import { QueueLifeModel } from '../../test/core/queue-life-model.ts'
import { addCounts, playSeeds } from '../../test/core/seeds.ts'

test('a queue ends when its time, its last consumer or its broker does, and not before, whatever crashes', async () => {
  const sums = { created: 0, expired: 0, autoDeleted: 0, ended: 0, crashes: 0, undone: 0 }
  const seeds = await playSeeds(60, async (seed) => {
    const model = await QueueLifeModel.open(seed)
    await model.run(250)
    addCounts(sums, model.counts)
  })
  // One program may happen not to get there.
  expect(Math.min(...Object.values(sums))).toBeGreaterThan(seeds < 20 ? -1 : seeds / 4)
})
