import { expect, test } from 'vitest'
import { addCounts, playSeeds } from '../../../test/core/seeds.ts'
import { SubscriptionModel } from '../../../test/core/subscription-model.ts'

test('each subscription gets all that is not removed, partition by partition, counted, to one end, whatever crashes', async () => {
  const seen = { crashes: 0, dead: 0, removed: 0, redelivered: 0 }
  const seeds = await playSeeds(60, async (seed) => {
    const model = await SubscriptionModel.open(seed)
    await model.run(150)
    addCounts(seen, model.seen)
  })
  // One program may happen not to get there.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(seeds < 20 ? -1 : seeds)
})
