import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Millrace } from '@millrace/client'
import { RedisIdempotencyStore } from '@millrace/redis'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BrokerProcess } from '../../bench/src/broker-process.ts'
import { runSeed, SeededRandom } from '../../packages/broker/test/harness/seeded-random.ts'
import { patientIoredis } from './patient-clients.ts'
import { RedisServer } from './redis-server.ts'
import { ToldClaims } from './told-claims.ts'
import { type Told, WorkerProcess } from './worker-process.ts'

const BLOWS = 20
const LEASE_MS = 300
/** Shorter than the lease of a claim, so that messages of who hangs come to others. */
const DELIVERY_LEASE_MS = 200
const SOON = { timeout: 20_000, interval: 10 }

let server: RedisServer
let broker: BrokerProcess
let client: Millrace
let redis: Redis
let workers: WorkerProcess[]

beforeEach(async () => {
  ;[server, broker] = await Promise.all([RedisServer.start({ durable: true }), BrokerProcess.start()])
  client = await connect(broker.url)
  redis = patientIoredis(server.port)
  workers = []
  await client.admin.createQueue({ name: 'work', delivery: { leaseMs: DELIVERY_LEASE_MS } })
})

afterEach(async () => {
  await Promise.all(workers.filter((worker) => worker.isRunning).map((worker) => worker.kill()))
  redis.disconnect()
  await client.close()
  await broker.stop()
  await server.stop()
})

async function startWorker(library: 'ioredis' | 'redis', leaseMs: number): Promise<WorkerProcess> {
  const worker = await WorkerProcess.start({ url: broker.url, redisPort: server.port, library, leaseMs })
  workers.push(worker)
  return worker
}

/** What is told of all claims, by all workers. */
function told(what: Told['what']): readonly Told[] {
  return workers.flatMap((worker) => worker.told.filter((each) => each.what === what))
}

/**
 * Messages come up to three times each, handlers fail and hang, workers are killed and frozen, Redis is killed: each message has its effect,
 * nobody begins while another may be at work, and of all claims one completes, the last.
 */
test(`${BLOWS} blows to workers and to Redis: each key is done once, by its last claim`, { timeout: 60_000 }, async () => {
  const random = new SeededRandom(runSeed('redis kill loop'))
  const publishing = new Publishing(random)
  const running = await Promise.all((['ioredis', 'redis', 'ioredis'] as const).map((each) => startWorker(each, LEASE_MS)))
  const blows = { kills: 0, freezes: 0, restarts: 0 }
  for (let n = 0; n < BLOWS; n++) {
    await sleep(random.between(10, 150))
    const at = random.between(0, running.length - 1)
    const worker = running[at]!
    if (n % 4 === 0) {
      await server.restart()
      blows.restarts++
    } else if (n % 4 === 2) {
      worker.freeze()
      await sleep(random.between(50, 2 * LEASE_MS))
      worker.thaw()
      blows.freezes++
    } else {
      await worker.kill()
      running[at] = await startWorker(random.next() < 0.5 ? 'ioredis' : 'redis', LEASE_MS)
      blows.kills++
    }
  }
  const ids = await publishing.stop()
  await expect
    .poll(async () => {
      const { ready, inFlight, scheduled } = await client.admin.queue('work')
      return ready + inFlight + scheduled
    }, SOON)
    .toBe(0)

  const store = new RedisIdempotencyStore(redis)
  const claims = new ToldClaims(
    workers.flatMap((worker) => worker.told),
    LEASE_MS,
  )
  for (const id of ids) {
    const key = `work/id/${id}`
    claims.mustBeDoneOnce(key, await store.get(key))
    claims.mustNotOverlap(key)
  }
  const figures = {
    ...blows,
    ids: ids.length,
    claims: told('begun').length,
    stale: told('stale').length,
    unsure: told('unsure').length,
    released: told('released').length,
    duplicates: told('duplicate').length,
  }
  process.stderr.write(`redis kill loop: ${JSON.stringify(figures)}\n`)
  // All that there is to survive did happen.
  expect(ids.length).toBeGreaterThan(BLOWS * 5)
  expect(figures.claims).toBeGreaterThan(ids.length + figures.released)
  expect(Math.min(figures.stale, figures.released, figures.duplicates)).toBeGreaterThan(0)
})

test('a worker that stalled past its lease cannot complete what another has taken over', { timeout: 60_000 }, async () => {
  const leaseMs = 1000
  const stalled = await startWorker('ioredis', leaseMs)
  await client.queue('work').publish('stall', { headers: { 'message-id': 'a' } })
  await expect.poll(() => stalled.told.find(({ what }) => what === 'begun'), SOON).toBeDefined()
  const late = stalled.told.find(({ what }) => what === 'begun')!
  stalled.freeze()
  const other = await startWorker('redis', leaseMs)
  await expect.poll(() => other.told.find(({ what }) => what === 'begun'), SOON).toBeDefined()
  const { fence } = other.told.find(({ what }) => what === 'begun')!
  expect(fence).toBeGreaterThan(late.fence)
  stalled.thaw()
  await expect.poll(() => told('stale'), SOON).toEqual([{ what: 'stale', key: late.key, fence: late.fence }])
  await expect.poll(() => told('completed'), SOON).toEqual([{ what: 'completed', key: late.key, fence }])
  expect(await new RedisIdempotencyStore(redis).get(late.key)).toMatchObject({ state: 'done', fence })
})

/** Each message one to three times, as publishers do that are not sure. */
class Publishing {
  readonly #ids: string[] = []
  readonly #stop = new AbortController()
  readonly #done: Promise<void>

  constructor(random: SeededRandom) {
    this.#done = this.#publish(random)
  }

  /** @returns what was published for certain */
  async stop(): Promise<readonly string[]> {
    this.#stop.abort()
    await this.#done
    return this.#ids
  }

  async #publish(random: SeededRandom): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const id = String(this.#ids.length)
      const dice = random.next()
      const body = dice < 0.05 ? 'hang' : dice < 0.2 ? 'fail' : 'plain'
      for (let copies = random.between(1, 3); copies > 0; copies--) {
        await client.queue('work').publish(body, { headers: { 'message-id': id } })
      }
      this.#ids.push(id)
      await sleep(random.between(0, 10))
    }
  }
}
