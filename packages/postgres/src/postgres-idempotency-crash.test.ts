import { afterAll, beforeAll, expect, test } from 'vitest'
import { addCounts, playSeeds } from '../../broker/test/core/seeds.ts'
import { SeededRandom } from '../../broker/test/harness/seeded-random.ts'
import { IdempotencyCrashModel } from '../../client/src/idempotency/conformance/crash-model.ts'
import { PostgresServer } from '../test/postgres-server.ts'
import { ON_VIRTUAL_CLOCK, VirtualClock } from '../test/virtual-clock.ts'
import { migrate } from './migrate.ts'
import { PostgresIdempotencyStore } from './postgres-idempotency-store.ts'

let server: PostgresServer

beforeAll(async () => {
  server = await PostgresServer.start()
})

afterAll(async () => {
  await server.stop()
})

test('each key has one effect, whoever dies between any two steps of handling it', async () => {
  const clock = await VirtualClock.create(server.pool())
  const pools = [server.pool(ON_VIRTUAL_CLOCK), server.pool(ON_VIRTUAL_CLOCK)]
  await migrate(server.pool(), new PostgresIdempotencyStore(pools[0]!))
  let opened = 0
  const stores = {
    open: () => new PostgresIdempotencyStore(pools[opened++ % pools.length]!),
    advance: (ms: number) => clock.advance(ms),
  }
  const sums = { kills: 0, runs: 0, failures: 0, expired: 0, fenced: 0, duplicates: 0, mismatches: 0 }
  const seeds = await playSeeds(12, async (seed) => {
    const random = new SeededRandom(seed)
    const model = new IdempotencyCrashModel((limit) => random.between(0, limit - 1), stores, `${seed}-`)
    await model.run(250)
    addCounts(sums, model.counts)
  })
  // One program may happen not to get there.
  expect(Math.min(...Object.values(sums))).toBeGreaterThan(seeds < 12 ? -1 : seeds / 2)
}, 60_000)
