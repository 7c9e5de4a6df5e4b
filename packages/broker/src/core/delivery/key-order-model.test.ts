import { expect, test } from 'vitest'
import { KeyOrderModel } from '../../../test/core/key-order-model.ts'

const SEEDS = 80

test(`order by key holds through failures, crashes and restarts, ${SEEDS} seeds`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await KeyOrderModel.run(seed, 250).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    })
  }
  expect.assertions(0)
}, 120_000)
