import { expect, test } from 'vitest'
import { ProducerTransactionModel } from '../../../test/core/producer-transaction-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 40)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('what is consumed, transformed and produced in transactions happens once, whatever crashes, comes late or is repeated', async () => {
  const totals = { commits: 0, aborts: 0, timeouts: 0, fenced: 0, busy: 0, repeated: 0, crashes: 0 }
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const model = await ProducerTransactionModel.open(seed)
    try {
      await model.run(400)
    } catch (error) {
      const again = `CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/producer-transactions/producer-transaction-model.test.ts`
      throw new Error(`seed ${seed}: ${again}`, { cause: error })
    }
    for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += model.counts[key]
  }
  // The program does what it is for.
  expect(totals.commits).toBeGreaterThan(SEEDS)
  if (SEEDS >= 20) for (const count of Object.values(totals)) expect(count).toBeGreaterThan(SEEDS / 4)
})
