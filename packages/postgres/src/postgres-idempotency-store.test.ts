import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeStore } from '../../client/src/idempotency/conformance/store-conformance.ts'
import { PostgresServer } from '../test/postgres-server.ts'
import { migrate } from './migrate.ts'
import { PostgresIdempotencyStore } from './postgres-idempotency-store.ts'

let server: PostgresServer

beforeAll(async () => {
  server = await PostgresServer.start()
})

afterAll(async () => {
  await server.stop()
})

describeStore('PostgreSQL', async () => {
  const pools = [server.pool(), server.pool()] as const
  const [store, sameData] = pools.map((pool) => new PostgresIdempotencyStore(pool))
  await migrate(pools[0], store!)
  return { store: store!, sameData: sameData!, close: async () => {} }
})

test('tables are created once, by however many start at the same time', async () => {
  const pool = server.pool()
  const store = new PostgresIdempotencyStore(pool, { table: 'shop.claims' })
  await pool.query('CREATE SCHEMA shop')
  await Promise.all(Array.from({ length: 8 }, () => migrate(pool, store)))
  expect(await store.begin('k', { leaseMs: 1000, retentionMs: 1000 })).toEqual({ state: 'started', fence: 1 })
  const { rows } = await pool.query('SELECT key FROM shop.claims')
  expect(rows).toEqual([{ key: 'k' }])
})

test('an id that text or an index cannot hold is a key all the same', async () => {
  const pool = server.pool()
  const store = new PostgresIdempotencyStore(pool, { table: 'odd_claims' })
  await migrate(pool, store)
  for (const key of ['a\0b', 'x'.repeat(100_000), 'x'.repeat(100_001)]) {
    expect(await store.begin(key, { leaseMs: 60_000, retentionMs: 1000 })).toMatchObject({ state: 'started' })
    expect(await store.begin(key, { leaseMs: 60_000, retentionMs: 1000 })).toMatchObject({ state: 'in-progress' })
  }
})

test('purge takes what is over, a bounded number at a time; begin does so by itself', async () => {
  const pool = server.pool()
  const store = new PostgresIdempotencyStore(pool, { table: 'purged_claims' })
  await migrate(pool, store)
  const insert = (count: number, from: string): Promise<unknown> =>
    pool.query(
      `INSERT INTO purged_claims SELECT $2 || n, true, n, NULL, now() - interval '1 second', 0, NULL FROM generate_series(1, $1::int) n`,
      [count, from],
    )
  await insert(2500, 'a')
  expect([await store.purge(), await store.purge(), await store.purge(), await store.purge()]).toEqual([1000, 1000, 500, 0])
  await insert(300, 'b')
  for (let n = 0; n < 200; n++) await store.begin(`new ${n}`, { leaseMs: 60_000, retentionMs: 0 })
  const { rows } = await pool.query<{ left: string }>(`SELECT count(*) AS left FROM purged_claims WHERE done`)
  expect(rows).toEqual([{ left: '0' }])
})

test('a table name that is none is refused', () => {
  for (const table of ['', 'a-b', 'a.b.c', 'x"; DROP TABLE users; --', 'x'.repeat(60)]) {
    expect(() => new PostgresIdempotencyStore(server.pool(), { table })).toThrow(
      expect.objectContaining({ code: 'illegal_name' }),
    )
  }
})
