import { expect, test } from 'vitest'
import { RoutingModel } from '../../../test/core/routing-model.ts'
import { addCounts, playSeeds } from '../../../test/core/seeds.ts'

test('messages go where exchanges and bindings say, whatever changes and whatever crashes', async () => {
  const totals = { routed: 0, lost: 0, crashes: 0, selfDeleted: 0 }
  const seeds = await playSeeds(40, async (seed) => {
    const model = await RoutingModel.open(seed)
    await model.run(200)
    addCounts(totals, model.counts)
  })
  // The program does what it is for.
  expect(totals.routed).toBeGreaterThan(10 * seeds)
  expect(totals.crashes).toBeGreaterThan(seeds)
  if (seeds >= 20) expect(Math.min(totals.lost, totals.selfDeleted)).toBeGreaterThan(seeds / 4)
})
