import { expect, test } from 'vitest'
import { TransactionModel } from '../../../test/core/transaction-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 40)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('transactions happen whole or not at all, in order, and lose no money, whatever crashes', async () => {
  const totals = { done: 0, refused: 0, lost: 0 }
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const model = await TransactionModel.open(seed)
    try {
      await model.run(150)
    } catch (error) {
      const again = `CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/transactions/transaction-model.test.ts`
      throw new Error(`seed ${seed}: ${again}`, { cause: error })
    }
    totals.done += model.counts.done
    totals.refused += model.counts.refused
    totals.lost += model.counts.lost
  }
  // The program does what it is for.
  expect(totals.done).toBeGreaterThan(SEEDS)
  if (SEEDS >= 20) expect(Math.min(totals.refused, totals.lost)).toBeGreaterThan(SEEDS / 2)
})
