import { type Message, MillraceError } from '@millrace/client'
import { startEmbedded } from 'millrace/embedded'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { millraceThat, poolThatFails } from '../../test/failing-doubles.ts'
import { contents, idOf, newOutbox, startBoth, type StoreAndBroker, texts } from '../../test/store-and-broker.ts'
import { Inbox } from '../inbox.ts'
import { migrate } from '../migrate.ts'
import type { Outbox } from './outbox.ts'
import type { Relay, RelayOptions } from './relay-options.ts'

let both: StoreAndBroker
const relays: Relay[] = []
let queues = 0
const newQueue = (): string => `q${++queues}`
const soon = { interval: 5, timeout: 20_000 }

beforeAll(async () => {
  both = await startBoth()
})

afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.stop()))
})

afterAll(async () => {
  await both.close()
})

function start(outbox: Outbox, options: Partial<RelayOptions> = {}): { readonly relay: Relay; readonly errors: unknown[] } {
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  const retryDelayMs = { min: 1, max: 5 }
  const relay = outbox.relay({ pool: both.pool, millrace: both.broker.client, retryDelayMs, onError, ...options })
  relays.push(relay)
  return { relay, errors }
}

test('a relay that dies between publishing and marking publishes the same ids again, and an inbox makes it once', async () => {
  const { outbox, table } = await newOutbox(both.pool)
  const queue = newQueue()
  const inbox = new Inbox({ consumer: 'stock', pool: both.pool, table: `inbox_of_${table}` })
  await migrate(both.pool, inbox)
  await both.pool.query(`CREATE TABLE effects_of_${table} (body text)`)
  const messages = [{ body: 'a', key: 'k' }, { body: 'b', key: 'k' }, { body: 'c' }]
  const ids = await outbox.addBatch(both.pool, `queue:${queue}`, messages)
  let deaths = 0
  const dying = poolThatFails(both.server.pool(), (text) => text.startsWith('DELETE') && deaths++ < 2)
  const { errors } = start(outbox, { pool: dying })
  await vi.waitFor(async () => expect(await outbox.backlog(both.pool)).toEqual({ pending: 0, parked: 0, lagMs: 0 }), soon)
  expect(errors).toHaveLength(2)
  const copies = await contents(both.broker, queue)
  expect(copies).toHaveLength(9)
  expect(new Set(copies.map(idOf))).toEqual(new Set(ids))

  let handled = 0
  const consumption = both.broker.client.queue(queue).consume(async (message: Message) => {
    await inbox.handle(message, (sql) => sql.query(`INSERT INTO effects_of_${table} VALUES ($1)`, [message.text()]))
    handled++
  })
  await vi.waitFor(() => expect(handled).toBe(9), soon)
  await consumption.stop()
  const { rows } = await both.pool.query<{ body: string }>(`SELECT body FROM effects_of_${table} ORDER BY body`)
  expect(rows.map(({ body }) => body)).toEqual(['a', 'b', 'c'])
})

test('while the broker refuses, nothing later is tried; then all of it arrives in order', async () => {
  const { outbox } = await newOutbox(both.pool)
  const queue = newQueue()
  const messages = Array.from({ length: 300 }, (_, n) => ({ body: `${n} ${'x'.repeat(500)}`, key: 'k' }))
  await outbox.addBatch(both.pool, `queue:${queue}`, messages)
  let refusing = true
  let refusals = 0
  let highest = 0
  const millrace = millraceThat(both.broker.client, async (publish, body) => {
    const n = Number.parseInt(body)
    if (refusing) highest = Math.max(highest, n)
    if (!refusing || n < 100) return publish()
    refusals++
    throw new MillraceError('overloaded', 'The journal is slow.')
  })
  const { errors } = start(outbox, { millrace })
  await vi.waitFor(() => expect(errors.length).toBeGreaterThan(3), soon)
  expect(await outbox.backlog(both.pool)).toMatchObject({ pending: 200, parked: 0 })
  refusing = false
  await vi.waitFor(async () => expect(await texts(both.broker, queue)).toHaveLength(300), soon)
  expect((await texts(both.broker, queue)).map((text) => Number.parseInt(text))).toEqual(messages.map((_, n) => n))
  expect(refusals).toBeGreaterThan(0)
  // 48 KiB are fewer than 70 of these.
  expect(highest).toBeLessThan(170)
  expect(errors[0]).toMatchObject({ code: 'overloaded' })
})

test('a destination that fails holds up no other', async () => {
  const { outbox } = await newOutbox(both.pool)
  const [closed, open] = [newQueue(), newQueue()]
  const messages = Array.from({ length: 500 }, (_, n) => ({ body: `closed ${n}`, key: `k${n % 3}` }))
  await outbox.addBatch(both.pool, `queue:${closed}`, messages)
  const others = Array.from({ length: 30 }, (_, n) => ({ body: `open ${n}`, key: `k${n % 3}` }))
  await outbox.addBatch(both.pool, `queue:${open}`, others)
  let forbidden = true
  const millrace = millraceThat(both.broker.client, async (publish, body) => {
    if (forbidden && body.startsWith('closed')) throw new MillraceError('forbidden', 'Not yours.')
    return publish()
  })
  const { errors } = start(outbox, { millrace, batchRows: 10, retryDelayMs: { min: 50, max: 50 } })
  await vi.waitFor(async () => expect(await texts(both.broker, open)).toHaveLength(30), soon)
  expect(await outbox.backlog(both.pool)).toMatchObject({ pending: 500, parked: 0 })
  expect(errors[0]).toMatchObject({ code: 'forbidden' })
  forbidden = false
  await vi.waitFor(async () => expect(await texts(both.broker, closed)).toHaveLength(500), soon)
  const numbers = (await texts(both.broker, closed)).map((text) => Number(text.split(' ')[1]))
  for (let key = 0; key < 3; key++) {
    const ofKey = numbers.filter((n) => n % 3 === key)
    expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b))
  }
})

test('a broker that does not answer costs a timeout, and gets nothing more until it has answered', async () => {
  const { outbox } = await newOutbox(both.pool)
  const queue = newQueue()
  const [id] = await outbox.addBatch(both.pool, `queue:${queue}`, [{ body: 'a', key: 'k' }])
  let answer!: () => void
  const answered = new Promise<void>((resolve) => (answer = resolve))
  let published = 0
  const millrace = millraceThat(both.broker.client, async (publish) => {
    published++
    await answered
    return publish()
  })
  const { errors } = start(outbox, { millrace, publishTimeoutMs: 20, pollMs: 10 })
  await vi.waitFor(() => expect(errors).toHaveLength(1), soon)
  expect(errors[0]).toMatchObject({ code: 'timeout', retryable: true })
  await outbox.add(both.pool, `queue:${queue}`, 'b', { key: 'k' })
  // The lane is free again for another relay, and this one waits.
  await both.pool.query('SELECT pg_sleep(0.1)')
  expect(published).toBe(1)
  const { rows } = await both.pool.query(`SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction'`)
  expect(rows).toEqual([])
  answer()
  await vi.waitFor(async () => expect(await texts(both.broker, queue)).toEqual(['a', 'a', 'b']), soon)
  expect((await contents(both.broker, queue)).slice(0, 2).map(idOf)).toEqual([id, id])
})

test('what the broker will never take is set aside, with the reason, and can be tried again', async () => {
  const { outbox, table } = await newOutbox(both.pool)
  const queue = newQueue()
  const big = 'x'.repeat(200_000)
  await outbox.addBatch(both.pool, `queue:${queue}`, [
    { body: 'a', key: 'k' },
    { body: big, key: 'k' },
    { body: 'b', key: 'k' },
  ])
  await outbox.add(both.pool, 'topic:no such name', 'nowhere')
  const { errors } = start(outbox)
  await vi.waitFor(async () => expect(await outbox.backlog(both.pool)).toMatchObject({ pending: 0, parked: 2 }), soon)
  expect(await texts(both.broker, queue)).toEqual(['a', 'b'])
  expect(errors.map((error) => (error as MillraceError).code).toSorted()).toEqual(['illegal_name', 'record_too_large'])
  const { rows } = await both.pool.query<{ parked: string }>(`SELECT parked FROM ${table} ORDER BY id`)
  expect(rows[0]!.parked).toMatch(/^record_too_large: /)
  expect(rows[1]!.parked).toMatch(/^illegal_name: /)
  await both.pool.query(`UPDATE ${table} SET body = 'small' WHERE destination = $1`, [`queue:${queue}`])
  expect(await outbox.unpark(both.pool)).toBe(2)
  await vi.waitFor(async () => expect(await texts(both.broker, queue)).toEqual(['a', 'b', 'small']), soon)
  await vi.waitFor(async () => expect(await outbox.backlog(both.pool)).toMatchObject({ pending: 0, parked: 1 }), soon)
})

test('what was sent is kept as long as asked, and then purged', async () => {
  const { outbox, table } = await newOutbox(both.pool)
  const queue = newQueue()
  const count = async (): Promise<unknown> => (await both.pool.query(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]
  const { relay } = start(outbox, { keepSentMs: 60_000 })
  await outbox.addBatch(
    both.pool,
    `queue:${queue}`,
    Array.from({ length: 10 }, (_, n) => ({ body: n })),
  )
  await vi.waitFor(async () => expect(await outbox.backlog(both.pool)).toMatchObject({ pending: 0 }), soon)
  expect(await count()).toEqual({ n: 10 })
  await relay.stop()
  expect([await outbox.purge(both.pool, 60_000), await outbox.purge(both.pool, 0, 4)]).toEqual([0, 4])
  start(outbox, { keepSentMs: 1, pollMs: 5 })
  await vi.waitFor(async () => expect(await count()).toEqual({ n: 0 }), soon)
  expect(await texts(both.broker, queue)).toHaveLength(10)
})

test('a relay ends with the client that it publishes with', async () => {
  const { outbox, table } = await newOutbox(both.pool)
  const broker = await startEmbedded()
  const { relay, errors } = start(outbox, { millrace: broker.client })
  await outbox.add(both.pool, 'queue:q', 'before')
  await vi.waitFor(async () => expect(await outbox.backlog(both.pool)).toMatchObject({ pending: 0 }), soon)
  await broker.close()
  await expect(relay.done).rejects.toMatchObject({ code: 'closed' })
  expect(errors.at(-1)).toMatchObject({ code: 'closed' })
  await outbox.add(both.pool, 'queue:q', 'after')
  const { rows } = await both.pool.query(`SELECT 1 FROM ${table}`)
  expect(rows).toHaveLength(1)
})

test('stop finishes the batch that is under way and gives all connections back', async () => {
  const { outbox } = await newOutbox(both.pool)
  const queue = newQueue()
  const pool = both.server.pool()
  const publishing: (() => void)[] = []
  const millrace = millraceThat(both.broker.client, async (publish) => {
    await new Promise<void>((resolve) => publishing.push(resolve))
    return publish()
  })
  const { relay, errors } = start(outbox, { pool, millrace })
  await outbox.add(both.pool, `queue:${queue}`, 'under way')
  await vi.waitFor(() => expect(publishing).toHaveLength(1), soon)
  const stopped = relay.stop()
  publishing[0]!()
  await stopped
  expect(await texts(both.broker, queue)).toEqual(['under way'])
  expect(await outbox.backlog(both.pool)).toMatchObject({ pending: 0 })
  expect(pool.idleCount).toBe(pool.totalCount)
  expect(errors).toEqual([])
})

test('while the database is away the relay tries again', async () => {
  const { outbox } = await newOutbox(both.pool)
  const queue = newQueue()
  let away = true
  const real = both.server.pool()
  const pool = {
    query: (text: string, values?: unknown[]) => real.query(text, values),
    connect: () => (away ? Promise.reject(new Error('connection refused')) : real.connect()),
  }
  const { errors } = start(outbox, { pool })
  await outbox.add(both.pool, `queue:${queue}`, 'patient')
  await vi.waitFor(() => expect(errors.length).toBeGreaterThan(2), soon)
  away = false
  await vi.waitFor(async () => expect(await texts(both.broker, queue)).toEqual(['patient']), soon)
})

test('options and destinations that mean nothing are refused', async () => {
  const { outbox } = await newOutbox(both.pool)
  for (const wrong of [
    { batchRows: 0 },
    { batchBytes: 1.5 },
    { publishTimeoutMs: Number.NaN },
    { pollMs: 2 ** 31 },
    { keepSentMs: -1 },
  ]) {
    expect(() => start(outbox, wrong)).toThrow(expect.objectContaining({ code: 'bad_request' }))
  }
  for (const destination of ['orders', 'queue:', 'exchange:x', 'queue:a\0b', 'queue:\ud800']) {
    await expect(outbox.add(both.pool, destination, 'm')).rejects.toMatchObject({ code: 'bad_request' })
  }
  await expect(outbox.add(both.pool, 'queue:q', 'm', { headers: { 'message-id': '' } })).rejects.toMatchObject({
    code: 'bad_request',
  })
  await expect(outbox.add(both.pool, 'queue:q', undefined as never)).rejects.toThrow(TypeError)
  expect(await outbox.backlog(both.pool)).toMatchObject({ pending: 0 })
})
