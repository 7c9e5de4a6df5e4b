import { expect, test } from 'vitest'
import { addCounts, playSeeds } from '../../../test/core/seeds.ts'
import { TransactionModel } from '../../../test/core/transaction-model.ts'

test('transactions happen whole or not at all, in order, and lose no money, whatever crashes', async () => {
  const totals = { done: 0, refused: 0, lost: 0 }
  const seeds = await playSeeds(40, async (seed) => {
    const model = await TransactionModel.open(seed)
    await model.run(150)
    addCounts(totals, model.counts)
  })
  // The program does what it is for.
  expect(totals.done).toBeGreaterThan(seeds)
  if (seeds >= 20) expect(Math.min(totals.refused, totals.lost)).toBeGreaterThan(seeds / 2)
})
