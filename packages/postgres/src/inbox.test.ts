import type { Message } from '@millrace/client'
import { type EmbeddedBroker, startEmbedded } from 'millrace/embedded'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { PostgresServer } from '../test/postgres-server.ts'
import { Inbox } from './inbox.ts'
import { migrate } from './migrate.ts'

let server: PostgresServer
let broker: EmbeddedBroker
let pool: pg.Pool
let inbox: Inbox<pg.PoolClient>
let queues = 0
let queue: string

beforeAll(async () => {
  ;[server, broker] = await Promise.all([PostgresServer.start(), startEmbedded()])
  pool = server.pool()
  inbox = new Inbox({ consumer: 'stock', pool })
  await migrate(pool, inbox)
  await pool.query('CREATE TABLE effects (body text)')
})

beforeEach(async () => {
  queue = `q${++queues}`
  await pool.query('TRUNCATE effects, millrace_inbox')
})

afterAll(async () => {
  await broker.close()
  await server.stop()
})

async function copies(count: number, id: string, body: string = id): Promise<readonly Message[]> {
  const headers = { 'message-id': id }
  await broker.client.queue(queue).publishBatch(Array.from({ length: count }, () => ({ body, headers })))
  return broker.client.queue(queue).pull({ max: count, waitMs: 1000 })
}

const effects = async (): Promise<readonly string[]> =>
  (await pool.query<{ body: string }>('SELECT body FROM effects ORDER BY body')).rows.map(({ body }) => body)

const effect = (message: Message) => (sql: pg.ClientBase) => sql.query('INSERT INTO effects VALUES ($1)', [message.text()])
const inFlight = async (): Promise<number> => (await broker.client.admin.queue(queue)).inFlight

test('of many copies one has its effect; all are acked', async () => {
  const messages = [...(await copies(5, 'a')), ...(await copies(3, 'b'))]
  const ran = await Promise.all(messages.map((message) => inbox.handle(message, effect(message))))
  expect(ran.filter(Boolean)).toHaveLength(2)
  expect(await effects()).toEqual(['a', 'b'])
  expect(await broker.client.admin.queue(queue)).toMatchObject({ ready: 0, inFlight: 0 })
})

test('each consumer has its own', async () => {
  const [first, second] = await copies(2, 'a')
  const billing = new Inbox({ consumer: 'billing', pool })
  expect(await inbox.handle(first!, () => {})).toBe(true)
  expect(await billing.handle(second!, () => {})).toBe(true)
})

test('work that fails leaves no trace, settles nothing, and can be done again', async () => {
  const [message] = await copies(1, 'a')
  const failing = inbox.handle(message!, async (sql) => {
    await effect(message!)(sql)
    throw new Error('out of stock')
  })
  await expect(failing).rejects.toThrow('out of stock')
  expect(await effects()).toEqual([])
  expect(await inFlight()).toBe(1)
  expect(await inbox.handle(message!, effect(message!))).toBe(true)
  expect(await effects()).toEqual(['a'])
})

test('a copy waits for the one that is being handled, and takes its place when that fails', async () => {
  const [first, second] = await copies(2, 'a')
  let fail!: (error: Error) => void
  const slow = inbox.handle(first!, () => new Promise((_, reject) => (fail = reject)))
  const slowFails = slow.catch((error: unknown) => error)
  await vi.waitFor(() => expect(fail).toBeDefined())
  let ended = false
  const waiting = inbox.handle(second!, effect(second!)).finally(() => (ended = true))
  await vi.waitFor(async () => {
    const { rows } = await pool.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)
    expect(rows).toHaveLength(1)
  })
  expect(ended).toBe(false)
  fail(new Error('gave up'))
  expect(await slowFails).toEqual(new Error('gave up'))
  expect(await waiting).toBe(true)
  expect(await effects()).toEqual(['a'])
})

test('a statement that failed unseen does not pass for done', async () => {
  const [message] = await copies(1, 'a')
  const handling = inbox.handle(message!, async (sql) => {
    await effect(message!)(sql)
    await sql.query('SELECT 1 / 0').catch(() => 'never mind')
  })
  await expect(handling).rejects.toThrow(/rolled back/)
  expect(await effects()).toEqual([])
  expect(await inFlight()).toBe(1)
})

test('a connection that is lost is not used again', async () => {
  const [message] = await copies(1, 'a')
  const handling = inbox.handle(message!, async (sql) => {
    await sql.query('SELECT pg_terminate_backend(pg_backend_pid())')
  })
  await expect(handling).rejects.toThrow(/terminat/)
  expect(await inbox.handle(message!, effect(message!))).toBe(true)
})

test('the ack comes after the commit: a message that is late for it was handled, and its copy is skipped', async () => {
  const [message] = await copies(1, 'a')
  await message!.nack()
  await expect(inbox.handle(message!, effect(message!))).rejects.toMatchObject({ code: 'stale_delivery' })
  const [again] = await broker.client.queue(queue).pull({ waitMs: 1000 })
  expect(await inbox.handle(again!, effect(again!))).toBe(false)
  expect(await effects()).toEqual(['a'])
})

test("in a transaction of the user's own", async () => {
  const [first, second] = await copies(2, 'a')
  const sql = await pool.connect()
  await sql.query('BEGIN')
  expect(await inbox.claim(sql, first!)).toBe(true)
  expect(await inbox.claim(sql, second!)).toBe(false)
  await sql.query('ROLLBACK')
  await sql.query('BEGIN')
  expect(await inbox.claim(sql, second!)).toBe(true)
  await sql.query('COMMIT')
  sql.release()
  expect(await inbox.claim(pool, first!)).toBe(false)
})

test('a message without an id is known by its place', async () => {
  await broker.client.queue(queue).publishBatch([{ body: 'x' }, { body: 'x' }])
  const messages = await broker.client.queue(queue).pull({ max: 2, waitMs: 1000 })
  for (const message of messages) expect(await inbox.handle(message, effect(message))).toBe(true)
  expect(await effects()).toEqual(['x', 'x'])
})

test('purge forgets by age, a bounded number at a time', async () => {
  await pool.query(
    `INSERT INTO millrace_inbox SELECT 'stock', 'id/' || n, now() - interval '2 days' FROM generate_series(1, 2500) n
     UNION ALL SELECT 'stock', 'new', now() UNION ALL SELECT 'other', 'old', now() - interval '9 days'`,
  )
  const day = 86_400_000
  expect([await inbox.purge(pool, day), await inbox.purge(pool, day, 2000), await inbox.purge(pool, day)]).toEqual([
    1000, 1500, 0,
  ])
  const { rows } = await pool.query('SELECT message FROM millrace_inbox ORDER BY message')
  expect(rows).toEqual([{ message: 'new' }, { message: 'old' }])
})

test('handle without a pool says what is missing', async () => {
  const [message] = await copies(1, 'a')
  await expect(new Inbox({ consumer: 'c' }).handle(message!, () => {})).rejects.toMatchObject({ code: 'bad_request' })
})
