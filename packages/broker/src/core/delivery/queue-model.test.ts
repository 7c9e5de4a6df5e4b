import { expect, test } from 'vitest'
import { QueueModel } from '../../../test/core/queue-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 60)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('each message is in one place, in order, counted, and ends once, whatever crashes', async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const model = await QueueModel.open(seed)
    try {
      await model.run(150)
    } catch (error) {
      throw new Error(
        `seed ${seed}: CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/delivery/queue-model.test.ts`,
        {
          cause: error,
        },
      )
    }
    expect(model.messages.every((message) => message.ended !== undefined)).toBe(true)
  }
})
