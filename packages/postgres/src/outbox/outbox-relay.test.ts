import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { contents, idOf, newOutbox, openTransaction, startBoth, type StoreAndBroker, texts } from '../../test/store-and-broker.ts'
import { Outbox } from './outbox.ts'
import type { Relay, RelayOptions, RelayProgress } from './relay-options.ts'

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

const unexpected = (error: unknown): void => expect.unreachable(String(error))
const bytes = (text: string): number[] => Array.from(new TextEncoder().encode(text))

function start(outbox: Outbox, options: Partial<RelayOptions> = {}): Relay {
  const relay = outbox.relay({ pool: both.pool, millrace: both.broker.client, onError: unexpected, ...options })
  relays.push(relay)
  return relay
}

const left = async (table: string): Promise<number> =>
  Number((await both.pool.query<{ count: string }>(`SELECT count(*) FROM ${table}`)).rows[0]!.count)

describe('what is committed is published', () => {
  test('as it was added, with its id, and is then gone from the table', async () => {
    const { outbox, table } = await newOutbox(both.pool)
    const queue = newQueue()
    const { sql, end } = await openTransaction(both.pool)
    const headers = { plain: 'grün', binary: new Uint8Array([0xff, 0, 1]), nul: 'a\0b', ['__proto__']: 'own' }
    const id = await outbox.add(sql, `queue:${queue}`, { total: 42 }, { key: 'customer 3', headers, retry: { maxAttempts: 7 } })
    const own = await outbox.add(sql, `queue:${queue}`, 'text', { headers: { 'message-id': 'mine' } })
    await outbox.add(sql, `queue:${queue}`, new Uint8Array([0, 255, 10]))
    await end('COMMIT')
    expect(own).toBe('mine')
    const beforeMs = Date.now() - 60_000
    start(outbox)
    await vi.waitFor(async () => expect(await contents(both.broker, queue)).toHaveLength(3), soon)
    const all = await contents(both.broker, queue)
    const json = all.find((message) => idOf(message) === id)!
    expect(json.json()).toEqual({ total: 42 })
    expect(new TextDecoder().decode(json.key!)).toBe('customer 3')
    expect(json.timestampMs).toBeGreaterThan(beforeMs)
    const decoded = Object.entries(json.headers).map(([name, value]) => [name, Array.from(value!)])
    expect(Object.fromEntries(decoded.filter(([name]) => name !== '__proto__'))).toEqual({
      plain: bytes('grün'),
      binary: [0xff, 0, 1],
      nul: bytes('a\0b'),
      'message-id': bytes(id),
      'content-type': bytes('application/json'),
      'millrace-retry': bytes('{"maxAttempts":7}'),
    })
    expect(decoded.find(([name]) => name === '__proto__')).toEqual(['__proto__', bytes('own')])
    expect(all.find((message) => idOf(message) === 'mine')!.text()).toBe('text')
    expect(all.some((message) => Buffer.from(message.value!).equals(Buffer.from([0, 255, 10])))).toBe(true)
    await vi.waitFor(async () => expect(await left(table)).toBe(0), soon)
  })

  test('what is rolled back never was', async () => {
    const { outbox, table } = await newOutbox(both.pool)
    const queue = newQueue()
    start(outbox)
    for (const key of ['k', undefined]) {
      const lost = await openTransaction(both.pool)
      await outbox.add(lost.sql, `queue:${queue}`, 'lost', key === undefined ? {} : { key })
      await lost.end('ROLLBACK')
      await outbox.add(both.pool, `queue:${queue}`, 'kept', key === undefined ? {} : { key })
    }
    await vi.waitFor(async () => expect(await texts(both.broker, queue)).toEqual(['kept', 'kept']), soon)
    await vi.waitFor(async () => expect(await left(table)).toBe(0), soon)
  })

  test('a commit wakes the relay, also after its connection was cut', async () => {
    const { outbox } = await newOutbox(both.pool)
    const queue = newQueue()
    const pool = both.server.pool({ application_name: 'cut-me' })
    const errors: unknown[] = []
    start(outbox, { pool, pollMs: 3_600_000, onError: (error) => errors.push(error) })
    for (const [n, body] of ['a', 'b', 'c'].entries()) {
      await outbox.add(both.pool, `queue:${queue}`, body)
      // A cut between publishing and marking makes copies.
      await vi.waitFor(async () => expect(new Set(await texts(both.broker, queue)).size).toBe(n + 1), soon)
      await both.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut-me'`)
      await vi.waitFor(async () => {
        const { rows } = await both.pool.query(
          `SELECT 1 FROM pg_stat_activity WHERE application_name = 'cut-me' AND query LIKE 'LISTEN%' AND state = 'idle'`,
        )
        expect(rows).toHaveLength(1)
      }, soon)
    }
  })

  test('polling alone is enough', async () => {
    const { table } = await newOutbox(both.pool)
    const outbox = new Outbox({ table, notify: false })
    const queue = newQueue()
    start(outbox, { pollMs: 20 })
    await outbox.add(both.pool, `queue:${queue}`, 'found')
    await vi.waitFor(async () => expect(await texts(both.broker, queue)).toEqual(['found']), soon)
  })

  test('thousands of messages of many sizes arrive, each once, in order per key', async () => {
    const { outbox, table } = await newOutbox(both.pool)
    const queue = newQueue()
    const messages = Array.from({ length: 5000 }, (_, n) => ({
      key: `k${n % 37}`,
      body: `${n}:${'x'.repeat(n % 1000 === 0 ? 100_000 : n % 50)}`,
    }))
    await outbox.addBatch(both.pool, `queue:${queue}`, messages)
    const progress: RelayProgress[] = []
    start(outbox, { onProgress: (one) => progress.push(one), batchBytes: 200_000 })
    await vi.waitFor(async () => expect(await left(table)).toBe(0), { interval: 50, timeout: 40_000 })
    const numbers = (await texts(both.broker, queue)).map((text) => Number.parseInt(text))
    expect(numbers).toHaveLength(5000)
    for (let key = 0; key < 37; key++) {
      const ofKey = numbers.filter((n) => n % 37 === key)
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b))
    }
    expect(new Set(numbers).size).toBe(5000)
    expect(progress.reduce((sum, { sent }) => sum + sent, 0)).toBe(5000)
    expect(progress[0]!.lagMs).toBeGreaterThan(0)
    expect(Math.max(...progress.map(({ sent }) => sent))).toBeLessThanOrEqual(500)
  })
})

describe('order per key', () => {
  test('a message does not overtake one of its key that was added before and is not committed yet', async () => {
    const { outbox } = await newOutbox(both.pool)
    const queue = newQueue()
    start(outbox, { pollMs: 10 })
    const early = await openTransaction(both.pool)
    await outbox.add(early.sql, `queue:${queue}`, 'first', { key: 'k' })
    await outbox.add(both.pool, `queue:${queue}`, 'second', { key: 'k' })
    // Others of the key come and go meanwhile, and other keys are not held up.
    for (let n = 0; n < 20; n++) {
      await outbox.add(both.pool, `queue:${queue}`, `later ${n}`, { key: 'k' })
      await outbox.add(both.pool, `queue:${queue}-others`, `other ${n}`, { key: 'another' })
      await outbox.add(both.pool, `queue:${queue}-others`, `keyless ${n}`)
    }
    await vi.waitFor(async () => expect(await texts(both.broker, `${queue}-others`)).toHaveLength(40), soon)
    expect(await texts(both.broker, queue)).toEqual([])
    await early.end('COMMIT')
    const expected = ['first', 'second', ...Array.from({ length: 20 }, (_, n) => `later ${n}`)]
    await vi.waitFor(async () => expect(await texts(both.broker, queue)).toEqual(expected), soon)
  })

  test('one that was rolled back holds nobody up', async () => {
    const { outbox } = await newOutbox(both.pool)
    const queue = newQueue()
    start(outbox, { pollMs: 10 })
    const early = await openTransaction(both.pool)
    await outbox.add(early.sql, `queue:${queue}`, 'never', { key: 'k' })
    await outbox.add(both.pool, `queue:${queue}`, 'second', { key: 'k' })
    await early.end('ROLLBACK')
    await vi.waitFor(async () => expect(await texts(both.broker, queue)).toEqual(['second']), soon)
  })

  test('an id is given only when the lane is locked', async () => {
    const { outbox, table } = await newOutbox(both.pool)
    const { sql, end } = await openTransaction(both.pool)
    const lastId = async (): Promise<unknown> => (await both.pool.query(`SELECT is_called FROM ${table}_id`)).rows[0]
    // Every lane of every outbox, exclusively: an insert has to wait before it does anything else.
    await outbox.add(sql, 'queue:any', 'to find the lock', { key: 'k' })
    const { rows } = await both.pool.query<{ classid: number; objid: number }>(
      `SELECT classid::int, objid::int FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'`,
    )
    await end('ROLLBACK')
    await both.pool.query(`ALTER SEQUENCE ${table}_id RESTART`)
    const holder = await openTransaction(both.pool)
    await holder.sql.query('SELECT pg_advisory_xact_lock($1, $2)', [rows[0]!.classid, rows[0]!.objid])
    const waiting = outbox.add(both.pool, 'queue:any', 'm', { key: 'k' })
    await vi.waitFor(async () => {
      const { rows: waiters } = await both.pool.query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)
      expect(waiters).toHaveLength(1)
    }, soon)
    expect(await lastId()).toEqual({ is_called: false })
    await holder.end('COMMIT')
    await waiting
    expect(await lastId()).toEqual({ is_called: true })
  })

  test('relays share the work and do none of it twice', async () => {
    const { outbox, table } = await newOutbox(both.pool)
    const queue = newQueue()
    const messages = Array.from({ length: 1000 }, (_, n) => ({ body: n, key: `k${n % 50}` }))
    await outbox.addBatch(both.pool, `queue:${queue}`, messages)
    const sentBy = [0, 0, 0]
    for (const n of sentBy.keys()) start(outbox, { batchRows: 10, onProgress: ({ sent }) => (sentBy[n]! += sent) })
    await vi.waitFor(async () => expect(await left(table)).toBe(0), soon)
    expect((await texts(both.broker, queue)).map(Number).toSorted((a, b) => a - b)).toEqual(messages.map(({ body }) => body))
    expect(Math.min(...sentBy)).toBeGreaterThan(0)
  })

  test('holds with several relays, writers that commit out of order, rollbacks, and relays that die', async () => {
    const { outbox, table } = await newOutbox(both.pool)
    const topic = `orders-${newQueue()}`
    await both.broker.client.admin.createTopic({ name: topic, partitions: 4 })
    const writing = { done: false }
    const relayPool = both.server.pool({ application_name: `relay-of-${table}` })
    for (let n = 0; n < 3; n++) {
      start(outbox, {
        pool: relayPool,
        keepSentMs: 3_600_000,
        batchRows: 7,
        pollMs: 10,
        retryDelayMs: { min: 1, max: 5 },
        onError: () => {},
      })
    }
    const writer = async (own: number): Promise<void> => {
      for (let n = 0; n < 60; n++) {
        const { sql, end } = await openTransaction(both.pool)
        for (let part = 0; part < 3; part++) {
          await outbox.add(sql, `topic:${topic}`, `${own}/${n}/${part}`, { key: `k${(own + n * part) % 5}` })
          if ((n + own) % 4 === 0) await sql.query('SELECT pg_sleep(0.002)')
        }
        await end(n % 10 === 9 ? 'ROLLBACK' : 'COMMIT')
      }
    }
    const killer = async (): Promise<void> => {
      while (!writing.done) {
        await both.pool.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND random() < 0.3`,
          [`relay-of-${table}`],
        )
        await both.pool.query('SELECT pg_sleep(0.03)')
      }
    }
    const killing = killer()
    await Promise.all(Array.from({ length: 8 }, (_, own) => writer(own)))
    writing.done = true
    await killing
    const unsent = `SELECT count(*) FROM ${table} WHERE sent_at IS NULL`
    await vi.waitFor(async () => expect((await both.pool.query(unsent)).rows).toEqual([{ count: '0' }]), soon)

    const { rows } = await both.pool.query<{ message_id: string; key: Buffer }>(
      `SELECT message_id, key FROM ${table} ORDER BY id`,
    )
    expect(rows).toHaveLength(8 * 54 * 3)
    const published: string[] = []
    for await (const message of both.broker.client.topic(topic).read({ from: 'earliest', untilEnd: true })) {
      published.push(`${new TextDecoder().decode(message.key!)} ${idOf(message)}`)
    }
    // A relay that died after publishing leaves copies: what counts is the first of each.
    const firsts = [...new Set(published)]
    for (let key = 0; key < 5; key++) {
      const expected = rows.filter((row) => row.key.toString() === `k${key}`).map((row) => `k${key} ${row.message_id}`)
      expect(firsts.filter((id) => id.startsWith(`k${key} `))).toEqual(expected)
    }
  })
})
