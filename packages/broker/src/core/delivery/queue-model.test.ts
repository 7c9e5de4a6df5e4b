import { expect, test } from 'vitest'
import { QueueModel } from '../../../test/core/queue-model.ts'
import { playSeeds } from '../../../test/core/seeds.ts'

test('each message is in one place, in order, counted, and ends once, whatever crashes', async () => {
  await playSeeds(60, async (seed) => {
    const model = await QueueModel.open(seed)
    await model.run(150)
    expect(model.messages.every((message) => message.ended !== undefined)).toBe(true)
  })
})
