import { expect, test } from 'vitest'
import { ScheduleModel } from '../../../test/core/schedule-model.ts'
import { playSeeds } from '../../../test/core/seeds.ts'

test('each scheduled message appears once, in order and not early, unless it was cancelled, whatever crashes', async () => {
  let published = 0
  let cancels = 0
  const seeds = await playSeeds(60, async (seed) => {
    const model = await ScheduleModel.open(seed)
    await model.run(120)
    published += model.published
    cancels += model.cancels
  })
  expect(published).toBeGreaterThan(seeds * 50)
  expect(cancels).toBeGreaterThan(seeds)
}, 60_000)
