import { expect, test } from 'vitest'
import { PriorityModel } from '../../../test/core/priority-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 60)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('nothing is lost, the highest level goes first, and each level is in order, whatever crashes', async () => {
  let deliveries = 0
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const model = await PriorityModel.open(seed)
    try {
      await model.run(150)
    } catch (error) {
      throw new Error(
        `seed ${seed}: CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/priorities/priority-model.test.ts`,
        { cause: error },
      )
    }
    deliveries += model.deliveries
    expect(model.messages.every((message) => message.ended !== undefined)).toBe(true)
  }
  expect(deliveries).toBeGreaterThan(50 * SEEDS)
})
