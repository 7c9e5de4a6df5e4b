import { expect, test } from 'vitest'
import { KeyOrderModel } from '../../../test/core/key-order-model.ts'
import { playSeeds } from '../../../test/core/seeds.ts'

test('order by key holds through failures, crashes and restarts', async () => {
  const seeds = await playSeeds(80, (seed) => KeyOrderModel.run(seed, 250))
  expect(seeds).toBeGreaterThan(0)
}, 120_000)
