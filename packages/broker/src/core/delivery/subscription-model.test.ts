import { expect, test } from 'vitest'
import { SubscriptionModel } from '../../../test/core/subscription-model.ts'

const SEEDS = Number(process.env['CORE_SEEDS'] ?? 60)
const FIRST = Number(process.env['CORE_SEED'] ?? 1)

test('each subscription gets all that is not removed, partition by partition, counted, to one end, whatever crashes', async () => {
  const seen = { crashes: 0, dead: 0, removed: 0, redelivered: 0 }
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const model = await SubscriptionModel.open(seed)
    try {
      await model.run(150)
    } catch (error) {
      throw new Error(
        `seed ${seed}: CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run packages/broker/src/core/delivery/subscription-model.test.ts`,
        { cause: error },
      )
    }
    for (const what of Object.keys(seen) as (keyof typeof seen)[]) seen[what] += model.seen[what]
  }
  // One program may happen not to get there.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(SEEDS < 20 ? -1 : SEEDS)
})
