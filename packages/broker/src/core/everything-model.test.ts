import { expect, test } from 'vitest'
import { EverythingModel } from '../../test/core/everything/everything-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 80)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('with any features on beside any others, each message is where it must be, whatever crashes', async () => {
  const counts: Record<string, number> = {}
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const model = await EverythingModel.open(seed)
    try {
      await model.run(250)
    } catch (error) {
      throw new Error(
        `seed ${seed}: CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/everything-model.test.ts`,
        { cause: error },
      )
    }
    for (const [what, count] of Object.entries(model.counts)) counts[what] = (counts[what] ?? 0) + count
  }
  if (SEEDS < 20) return
  const happened = ['published', 'delivered', 'duplicates', 'died', 'redrives', 'transactions', 'crashes', 'refused', 'scheduled']
  expect(happened.filter((what) => (counts[what] ?? 0) < SEEDS / 4)).toEqual([])
}, 120_000)
