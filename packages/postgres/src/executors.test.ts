import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { sql } from 'drizzle-orm'
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresServer } from '../test/postgres-server.ts'
import { drizzleExecutor, kyselyExecutor, type PrismaLike, prismaExecutor } from './executors.ts'
import { Inbox } from './inbox.ts'
import { migrate } from './migrate.ts'
import { Outbox } from './outbox/outbox.ts'
import { PostgresIdempotencyStore } from './postgres-idempotency-store.ts'
import type { SqlExecutor } from './sql-executor.ts'

let server: PostgresServer
let pool: pg.Pool
let kysely: Kysely<{ orders: { id: number } }>
let drizzled: NodePgDatabase

const outbox = new Outbox()
const inbox = new Inbox({ consumer: 'c' })

beforeAll(async () => {
  server = await PostgresServer.start()
  pool = server.pool()
  await migrate(pool, outbox, inbox, new PostgresIdempotencyStore(pool))
  await pool.query('CREATE TABLE orders (id int)')
  kysely = new Kysely({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] })
  drizzled = drizzle(pool)
})

afterAll(async () => {
  await server.stop()
})

class Undo extends Error {}

/** The way of one library to run something in a transaction. */
interface Way {
  readonly name: string
  readonly transaction: (work: (executor: SqlExecutor, order: (id: number) => Promise<unknown>) => Promise<void>) => Promise<void>
}

const ways: readonly Way[] = [
  {
    name: 'pg',
    async transaction(work) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        await work(client, (id) => client.query('INSERT INTO orders VALUES ($1)', [id]))
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      } finally {
        client.release()
      }
    },
  },
  {
    name: 'kysely',
    transaction: (work) =>
      kysely.transaction().execute((trx) => work(kyselyExecutor(trx), (id) => trx.insertInto('orders').values({ id }).execute())),
  },
  {
    name: 'drizzle-orm',
    transaction: (work) =>
      drizzled.transaction((tx) => work(drizzleExecutor(tx, sql), (id) => tx.execute(sql`INSERT INTO orders VALUES (${id})`))),
  },
  {
    name: 'prisma',
    async transaction(work) {
      const client = await pool.connect()
      // What Prisma's transactions look like from outside; it has no driver that could be run here.
      const prisma: PrismaLike = {
        $executeRawUnsafe: async (text, ...values) => (await client.query(text, values)).rowCount ?? 0,
        $queryRawUnsafe: async (text, ...values) => (await client.query(text, values)).rows,
      }
      try {
        await client.query('BEGIN')
        await work(
          prismaExecutor(prisma),
          (id) => prisma.$executeRawUnsafe('INSERT INTO orders VALUES ($1)', id) as Promise<number>,
        )
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      } finally {
        client.release()
      }
    },
  },
]

const message = (id: string): never =>
  ({ partition: 0, offset: 0, headers: { 'message-id': new TextEncoder().encode(id) } }) as never

describe.each(ways)('a transaction of $name', ({ name, transaction }) => {
  test('takes the outbox and the inbox with it, to commit and to rollback', async () => {
    await pool.query('TRUNCATE orders, millrace_outbox')
    const undone = transaction(async (executor, order) => {
      await order(1)
      await outbox.add(executor, 'queue:orders', { order: 1 }, { key: 'k' })
      expect(await inbox.claim(executor, message(`${name} 1`))).toBe(true)
      throw new Undo()
    })
    await expect(undone).rejects.toThrow(Undo)
    expect((await pool.query('SELECT 1 FROM orders UNION ALL SELECT 1 FROM millrace_outbox')).rows).toEqual([])

    let ids: readonly string[] = []
    await transaction(async (executor, order) => {
      await order(2)
      const body = { order: 2, odd: "it's $1 and \\ ?" }
      ids = [await outbox.add(executor, 'queue:orders', body, { key: new Uint8Array([0, 255]), headers: { a: '$2' } })]
      ids = [...ids, ...(await outbox.addBatch(executor, 'topic:t', [{ body: 'x' }, { body: 'y' }]))]
      expect(await inbox.claim(executor, message(`${name} 1`))).toBe(true)
      expect(await inbox.claim(executor, message(`${name} 1`))).toBe(false)
    })
    expect((await pool.query('SELECT id FROM orders')).rows).toEqual([{ id: 2 }])
    const { rows } = await pool.query<{ message_id: string; key: Buffer | null; body: Buffer; headers: object }>(
      'SELECT message_id, key, body, headers FROM millrace_outbox ORDER BY id',
    )
    expect(rows.map((row) => row.message_id)).toEqual(ids)
    expect(JSON.parse(rows[0]!.body.toString())).toEqual({ order: 2, odd: "it's $1 and \\ ?" })
    expect(rows[0]!.key).toEqual(Buffer.from([0, 255]))
    expect(rows[0]!.headers).toEqual({ a: '$2', 'message-id': ids[0], 'content-type': 'application/json' })
    expect(rows.slice(1).map((row) => [row.key, row.body.toString()])).toEqual([
      [null, 'x'],
      [null, 'y'],
    ])
  })

  test('can hold idempotency claims', async () => {
    await transaction(async (executor) => {
      const store = new PostgresIdempotencyStore(executor)
      const options = { leaseMs: 1000, retentionMs: 60_000, fingerprint: 'f' }
      const begun = await store.begin(name, options)
      if (begun.state !== 'started') throw new Error(begun.state)
      await store.complete(name, begun.fence, new Uint8Array([1, 0, 255]))
      expect(await store.begin(name, options)).toEqual({ state: 'done', result: new Uint8Array([1, 0, 255]) })
      await expect(store.release(name, begun.fence)).rejects.toMatchObject({ code: 'stale_claim' })
      expect(await store.purge()).toBe(0)
      expect(await outbox.backlog(executor)).toMatchObject({ parked: 0 })
    })
  })
})
