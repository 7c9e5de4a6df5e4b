import { expect, test } from 'vitest'
import { DedupModel } from '../../../test/core/dedup-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 60)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('what was published is stored once, and what was not is not taken for a duplicate, whatever crashes', async () => {
  let duplicates = 0
  let fencings = 0
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    try {
      const model = await DedupModel.open(seed)
      await model.run(200)
      duplicates += model.duplicates
      fencings += model.fencings
    } catch (error) {
      throw new Error(
        `seed ${seed}: CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/dedup/dedup-model.test.ts`,
        { cause: error },
      )
    }
  }
  expect(duplicates).toBeGreaterThan(20 * SEEDS)
  expect(fencings).toBeGreaterThan(SEEDS / 2)
})
