import { expect, test } from 'vitest'
import { ConsumerModel } from '../../../test/core/consumer-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 20)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('no partition has two readers at one time, and in the end each has one', async () => {
  const sums = { moves: 0, deaths: 0, fenced: 0, lostAnswers: 0, waits: 0 }
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    try {
      const model = await ConsumerModel.open(seed, seed % 5 === 0 ? 50 : 2 + (seed % 7))
      await model.run(1500)
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += model.counts[key]
    } catch (error) {
      throw new Error(
        `seed ${seed}: CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/groups/consumer-model.test.ts`,
        { cause: error },
      )
    }
  }
  expect(sums.moves).toBeGreaterThan(20 * SEEDS)
  expect(sums.deaths).toBeGreaterThan(10 * SEEDS)
  expect(sums.fenced).toBeGreaterThan(SEEDS)
  expect(sums.lostAnswers).toBeGreaterThan(SEEDS)
  expect(sums.waits).toBeGreaterThan(SEEDS)
})
