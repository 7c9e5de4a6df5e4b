import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Consumption, type Message, MESSAGE_ID_HEADER, type Millrace } from '@millrace/client'
import { Inbox, migrate, Outbox } from '@millrace/postgres'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { freePort } from '../../../bench/src/free-port.ts'
import { directoryPerTest } from '../../broker/test/harness/directory-per-test.ts'
import { runSeed, SeededRandom } from '../../broker/test/harness/seeded-random.ts'
import { PostgresServer } from './postgres-server.ts'

const KILLS = 15
const KEYS = 10
const DELAY_MS_MAX = 300
const SOON = { timeout: 30_000 }

const inDirectory = directoryPerTest()
let server: PostgresServer

beforeEach(async () => {
  server = await PostgresServer.start()
})

afterEach(() => server.stop())

/**
 * Orders come out of an outbox, and reminders with a delay from a client that sends again what was not confirmed; no queue knows of
 * duplicates. A transaction takes each on to a second queue, and there its effect is in the database, by an inbox. Every tenth fails for
 * good. Whatever is killed when: nothing is lost, and nothing has its effect twice, not even what is redriven.
 */
test(`${KILLS} kills: delays, transactions, dead letters and redrive have one effect through the inbox`, async () => {
  const random = new SeededRandom(runSeed('inbox crash loop'))
  const options = { data: inDirectory('data'), ports: { native: await freePort(), http: await freePort() } }
  let broker = await BrokerProcess.start(options)
  const client = await connect(broker.url, { reconnectDelayMs: { min: 5, max: 50 } })
  const pool = server.pool()
  const outbox = new Outbox()
  const inbox = new Inbox<pg.PoolClient>({ consumer: 'books', pool })
  await migrate(pool, outbox, inbox)
  await pool.query('CREATE TABLE effects (id int)')
  for (const name of ['dead', 'orders']) await client.admin.createQueue({ name })
  await client.admin.createQueue({
    name: 'books',
    delivery: {
      order: 'key',
      maxAttempts: 3,
      backoff: { kind: 'exponential', initialMs: 5, maxMs: 20 },
      deadLetter: 'queue:dead',
    },
  })
  const relay = outbox.relay({ pool, millrace: client })
  const consumptions = [takeOn(client), bookAll(client, inbox)]
  const publishing = new Publishing(client, pool, outbox, random)
  for (let kills = 0; kills < KILLS; kills++) {
    await sleep(random.between(100, 500))
    await broker.kill()
    broker = await BrokerProcess.start(options)
  }
  const ids = await publishing.stop()
  await expect.poll(() => outbox.backlog(pool), SOON).toMatchObject({ pending: 0, parked: 0 })
  await relay.stop()
  await expect.poll(async () => [await left(client, 'orders'), await left(client, 'books')], SOON).toEqual([0, 0])

  // Crashes count as attempts, so others may have died besides those that fail; their effect may have been before that.
  const dead = (await client.queue('dead').peek({ max: 100_000 })).map((message) => Number(message.text()))
  expect(new Set(dead.filter(fails))).toEqual(new Set(ids.filter(fails)))
  await client.admin.redrive('dead', { filter: `"kind" = 'fine'` })
  await expect.poll(() => left(client, 'books'), SOON).toBe(0)

  const { rows } = await pool.query<{ id: number }>('SELECT id FROM effects ORDER BY id')
  expect(rows.map(({ id }) => id)).toEqual(ids.filter((id) => !fails(id)))
  expect(ids.length).toBeGreaterThan(KILLS * 10)
  const { counters } = await client.admin.queue('books')
  // There were duplicates to be told apart.
  expect(counters.published).toBeGreaterThan(ids.length)
  process.stderr.write(`inbox crash loop: ${JSON.stringify({ ids: ids.length, dead: dead.length, counters })}\n`)
  await Promise.all(consumptions.map((consumption) => consumption.stop()))
  await client.close()
  expect(await broker.stop()).toMatchObject({ code: 0 })
}, 180_000)

function fails(id: number): boolean {
  return id % 10 === 9
}

async function left(client: Millrace, queue: string): Promise<number> {
  const { ready, inFlight, scheduled } = await client.admin.queue(queue)
  return ready + inFlight + scheduled
}

function headerOf(message: Message, name: string): string {
  return new TextDecoder().decode(message.headers[name]!)
}

/** Each as one: taken from the first queue, put into the second. */
function takeOn(client: Millrace): Consumption {
  return client.queue('orders').consume(
    (message, tx) => {
      const headers = { [MESSAGE_ID_HEADER]: headerOf(message, MESSAGE_ID_HEADER), kind: headerOf(message, 'kind') }
      tx.publish('queue:books', message.text(), { key: `key-${Number(message.text()) % KEYS}`, headers })
    },
    { transactional: true, concurrency: 4, prefetch: 32 },
  )
}

function bookAll(client: Millrace, inbox: Inbox<pg.PoolClient>): Consumption {
  return client.queue('books').consume(
    async (message) => {
      await inbox.handle(message, async (sql) => {
        await sql.query('INSERT INTO effects VALUES ($1)', [Number(message.text())])
        if (fails(Number(message.text()))) throw new Error('it always fails')
      })
    },
    { concurrency: 4, prefetch: 32 },
  )
}

/** Every other message by way of the outbox, the others straight to the broker, some of them for later. */
class Publishing {
  readonly #ids: number[] = []
  readonly #stop = new AbortController()
  readonly #publishers: readonly Promise<void>[]
  #next = 0

  constructor(client: Millrace, pool: pg.Pool, outbox: Outbox, random: SeededRandom) {
    const straight = async (id: number): Promise<void> => {
      const headers = { [MESSAGE_ID_HEADER]: `id-${id}`, kind: kindOf(id) }
      const delay = random.next() < 0.5 ? { delayMs: random.between(1, DELAY_MS_MAX) } : {}
      await client.queue('orders').publish(String(id), { headers, ...delay })
    }
    const byOutbox = async (id: number): Promise<void> => {
      await outbox.add(pool, 'queue:orders', String(id), { key: `key-${id % KEYS}`, headers: { kind: kindOf(id) } })
      await sleep(random.between(1, 10))
    }
    this.#publishers = [straight, straight, byOutbox, byOutbox].map((publish) => this.#publish(publish))
  }

  /** @returns what was published for certain, in order */
  async stop(): Promise<readonly number[]> {
    this.#stop.abort()
    await Promise.all(this.#publishers)
    return this.#ids.toSorted((a, b) => a - b)
  }

  async #publish(publish: (id: number) => Promise<void>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const id = this.#next++
      await publish(id)
      this.#ids.push(id)
    }
  }
}

function kindOf(id: number): string {
  return fails(id) ? 'failing' : 'fine'
}
