import { RedisIdempotencyStore } from '@millrace/redis'
import { idempotent } from '@millrace/client'
import { Redis } from 'ioredis'
import { startEmbedded } from 'millrace/embedded'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { describeStore } from '../../packages/client/src/idempotency/conformance/store-conformance.ts'
import { RedisServer } from './redis-server.ts'

let server: RedisServer
let ioredis: Redis
let nodeRedis: ReturnType<typeof newNodeRedis>

function newNodeRedis(port: number) {
  return createClient({ socket: { host: '127.0.0.1', port } })
}

beforeAll(async () => {
  server = await RedisServer.start()
  ioredis = new Redis(server.port, '127.0.0.1')
  nodeRedis = newNodeRedis(server.port)
  await nodeRedis.connect()
})

afterAll(async () => {
  ioredis.disconnect()
  nodeRedis.destroy()
  await server.stop()
})

describeStore('Redis, each of both clients', async () => ({
  store: new RedisIdempotencyStore(ioredis),
  sameData: new RedisIdempotencyStore(nodeRedis),
  close: async () => {},
}))

describeStore('Redis, the other way round', async () => ({
  store: new RedisIdempotencyStore(nodeRedis, { prefix: 'other:' }),
  sameData: new RedisIdempotencyStore(ioredis, { prefix: 'other:' }),
  close: async () => {},
}))

test('what is over leaves Redis by itself', async () => {
  const store = new RedisIdempotencyStore(ioredis, { prefix: 'short:' })
  const options = { leaseMs: 1000, retentionMs: 50 }
  for (let n = 0; n < 100; n++) {
    const begun = await store.begin(`k${n}`, options)
    if (begun.state !== 'started') throw new Error(begun.state)
    await store.complete(`k${n}`, begun.fence)
  }
  await vi.waitFor(async () => expect(await ioredis.keys('short:*:key:*')).toEqual([]), { timeout: 10_000 })
  // One counter per bucket that was used stays.
  expect((await ioredis.keys('short:*')).length).toBeLessThanOrEqual(100)
})

test('a fence rises even when Redis has forgotten the last one', async () => {
  const store = new RedisIdempotencyStore(ioredis, { prefix: 'lost:' })
  const options = { leaseMs: 1000, retentionMs: 1000 }
  const first = await store.begin('k', options)
  await ioredis.del(await ioredis.keys('lost:*'))
  await ioredis.call('SCRIPT', 'FLUSH')
  const second = await store.begin('k', options)
  expect(second.state === 'started' && first.state === 'started' && second.fence > first.fence).toBe(true)
})

test('a consumer handles each message once', async () => {
  await using broker = await startEmbedded()
  const queue = broker.client.queue('payments')
  const paid: string[] = []
  const handler = idempotent(new RedisIdempotencyStore(ioredis), (message) => void paid.push(message.text()), {
    consumer: 'payments',
  })
  const messages = ['a', 'b', 'a', 'c', 'b', 'a'].map((id) => ({ body: id, headers: { 'message-id': id } }))
  await queue.publishBatch(messages)
  const consumption = queue.consume(handler, { concurrency: 3 })
  await vi.waitFor(async () => expect(await broker.client.admin.queue('payments')).toMatchObject({ ready: 0, inFlight: 0 }), {
    timeout: 30_000,
  })
  await consumption.stop()
  expect(paid.toSorted()).toEqual(['a', 'b', 'c'])
}, 100_000)
