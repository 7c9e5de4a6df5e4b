import { expect, test } from 'vitest'
import { addCounts, playSeeds } from '../core/seeds.ts'
import { RequestModel } from './request-model.ts'

test('each request gets its own answers or ends in time, and inboxes do not stay, whoever dies', async () => {
  const sums = { answered: 0, many: 0, timeouts: 0, crashes: 0, kills: 0 }
  const seeds = await playSeeds(15, async (seed) => {
    const model = await RequestModel.open(seed)
    await model.run(150)
    addCounts(sums, model.counts)
  })
  // One program may happen not to get there.
  expect(Math.min(...Object.values(sums))).toBeGreaterThan(seeds < 15 ? -1 : seeds / 4)
}, 60_000)
