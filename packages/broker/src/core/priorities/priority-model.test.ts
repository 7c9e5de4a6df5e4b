import { expect, test } from 'vitest'
import { PriorityModel } from '../../../test/core/priority-model.ts'
import { playSeeds } from '../../../test/core/seeds.ts'

test('nothing is lost, the highest level goes first, and each level is in order, whatever crashes', async () => {
  let deliveries = 0
  const seeds = await playSeeds(60, async (seed) => {
    const model = await PriorityModel.open(seed)
    await model.run(150)
    deliveries += model.deliveries
    expect(model.messages.every((message) => message.ended !== undefined)).toBe(true)
  })
  expect(deliveries).toBeGreaterThan(50 * seeds)
})
