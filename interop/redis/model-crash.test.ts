import { RedisIdempotencyStore, type RedisCommand } from '@millrace/redis'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addCounts, playSeeds } from '../../packages/broker/test/core/seeds.ts'
import { SeededRandom } from '../../packages/broker/test/harness/seeded-random.ts'
import { IdempotencyCrashModel } from '../../packages/client/src/idempotency/conformance/crash-model.ts'
import { patientIoredis, patientNodeRedis } from './patient-clients.ts'
import { RedisServer } from './redis-server.ts'
import { onClock, VirtualClock } from './virtual-clock.ts'

let server: RedisServer
let ioredis: Redis
let nodeRedis: Awaited<ReturnType<typeof patientNodeRedis>>

const byIoredis: RedisCommand = ([command, ...parameters]) => ioredis.call(command!, ...parameters)
const byNodeRedis: RedisCommand = (parts) => nodeRedis.sendCommand([...parts])

beforeAll(async () => {
  server = await RedisServer.start({ durable: true })
  ioredis = patientIoredis(server.port)
  nodeRedis = await patientNodeRedis(server.port)
})

afterAll(async () => {
  ioredis.disconnect()
  nodeRedis.destroy()
  await server.stop()
})

test('each key has one effect, whoever dies between any two steps of handling it, and whenever Redis does', async () => {
  const clock = await VirtualClock.create(byIoredis)
  const sums = { kills: 0, runs: 0, failures: 0, expired: 0, fenced: 0, duplicates: 0, mismatches: 0 }
  let opened = 0
  let restarts = 0
  const seeds = await playSeeds(12, async (seed) => {
    const random = new SeededRandom(seed)
    const stores = {
      open: () => new RedisIdempotencyStore(onClock(opened++ % 2 === 0 ? byIoredis : byNodeRedis)),
      advance: async (ms: number) => {
        if (random.between(0, 9) === 0) {
          await server.restart()
          restarts++
        }
        await clock.advance(ms)
      },
    }
    const model = new IdempotencyCrashModel((limit) => random.between(0, limit - 1), stores, `${seed}-`)
    await model.run(250)
    addCounts(sums, model.counts)
  })
  // One program may happen not to get there.
  expect(Math.min(restarts, ...Object.values(sums))).toBeGreaterThan(seeds < 12 ? -1 : seeds / 2)
}, 60_000)
