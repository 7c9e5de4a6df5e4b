import { expect, test } from 'vitest'
import { ConsumerModel } from '../../../test/core/consumer-model.ts'
import { addCounts, playSeeds } from '../../../test/core/seeds.ts'

test('no partition has two readers at one time, and in the end each has one', async () => {
  const sums = { moves: 0, deaths: 0, fenced: 0, lostAnswers: 0, waits: 0 }
  const seeds = await playSeeds(20, async (seed) => {
    const model = await ConsumerModel.open(seed, seed % 5 === 0 ? 50 : 2 + (seed % 7))
    await model.run(1500)
    addCounts(sums, model.counts)
  })
  expect(sums.moves).toBeGreaterThan(20 * seeds)
  expect(sums.deaths).toBeGreaterThan(10 * seeds)
  expect(sums.fenced).toBeGreaterThan(seeds)
  expect(sums.lostAnswers).toBeGreaterThan(seeds)
  expect(sums.waits).toBeGreaterThan(seeds)
})
