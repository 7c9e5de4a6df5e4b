import { expect, test } from 'vitest'
import { ProducerTransactionModel } from '../../../test/core/producer-transaction-model.ts'
import { addCounts, playSeeds } from '../../../test/core/seeds.ts'

test('what is consumed, transformed and produced in transactions happens once, whatever crashes, comes late or is repeated', async () => {
  const totals = { commits: 0, aborts: 0, timeouts: 0, fenced: 0, busy: 0, repeated: 0, crashes: 0 }
  const seeds = await playSeeds(40, async (seed) => {
    const model = await ProducerTransactionModel.open(seed)
    await model.run(400)
    addCounts(totals, model.counts)
  })
  // The program does what it is for.
  expect(totals.commits).toBeGreaterThan(seeds)
  if (seeds >= 20) for (const count of Object.values(totals)) expect(count).toBeGreaterThan(seeds / 4)
})
