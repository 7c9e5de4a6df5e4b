import { expect, test } from 'vitest'
import { addCounts, playSeeds } from '../core/seeds.ts'
import { PreparedModel } from './prepared-model.ts'

test('a prepared message is seen once if it is committed, and never otherwise, whoever dies', async () => {
  const sums = { prepared: 0, told: 0, tooLate: 0, unknown: 0, asked: 0, dead: 0, crashes: 0, kills: 0, twice: 0 }
  const seeds = await playSeeds(15, async (seed) => {
    const model = await PreparedModel.open(seed)
    await model.run(150)
    addCounts(sums, model.counts)
  })
  // One program may happen not to get there.
  expect(Math.min(...Object.values(sums))).toBeGreaterThan(seeds < 15 ? -1 : seeds / 4)
}, 60_000)
