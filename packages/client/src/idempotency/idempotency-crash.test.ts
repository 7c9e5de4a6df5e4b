import { expect, test } from 'vitest'
import { SeededRandom } from '../../../broker/test/harness/seeded-random.ts'
import { addCounts, playSeeds } from '../../../broker/test/core/seeds.ts'
import { IdempotencyCrashModel } from './conformance/crash-model.ts'
import { MemoryIdempotencyStore } from './memory-idempotency-store.ts'

test('each key has one effect, whoever dies between any two steps of handling it', async () => {
  const sums = { kills: 0, runs: 0, failures: 0, expired: 0, fenced: 0, duplicates: 0, mismatches: 0 }
  const seeds = await playSeeds(200, async (seed) => {
    const random = new SeededRandom(seed)
    let nowMs = 0
    const store = new MemoryIdempotencyStore({ now: () => nowMs })
    const stores = {
      open: () => store,
      advance: async (ms: number) => {
        nowMs += ms
      },
    }
    const model = new IdempotencyCrashModel((limit) => random.between(0, limit - 1), stores)
    await model.run(300)
    addCounts(sums, model.counts)
  })
  // One program may happen not to get there.
  expect(Math.min(...Object.values(sums))).toBeGreaterThan(seeds < 20 ? -1 : seeds / 2)
})
