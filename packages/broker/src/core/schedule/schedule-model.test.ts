import { expect, test } from 'vitest'
import { ScheduleModel } from '../../../test/core/schedule-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 60)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('each scheduled message appears once, in order and not early, unless it was cancelled, whatever crashes', async () => {
  let published = 0
  let cancels = 0
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const model = await ScheduleModel.open(seed)
    try {
      await model.run(120)
    } catch (error) {
      throw new Error(
        `seed ${seed}: CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/schedule/schedule-model.test.ts`,
        { cause: error },
      )
    }
    published += model.published
    cancels += model.cancels
  }
  expect(published).toBeGreaterThan(SEEDS * 50)
  expect(cancels).toBeGreaterThan(SEEDS)
}, 60_000)
