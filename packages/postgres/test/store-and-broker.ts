import type { Message, StoredMessage } from '@millrace/client'
import { type EmbeddedBroker, startEmbedded } from 'millrace/embedded'
import type pg from 'pg'
import { migrate, Outbox } from '@millrace/postgres'
import { PostgresServer } from './postgres-server.ts'

/** What the tests of the outbox share: a database server and a broker. */
export interface StoreAndBroker {
  readonly server: PostgresServer
  readonly broker: EmbeddedBroker
  readonly pool: pg.Pool
  close(): Promise<void>
}

export async function startBoth(): Promise<StoreAndBroker> {
  const [server, broker] = await Promise.all([PostgresServer.start(), startEmbedded({ limits: { batchBytesMax: '128KiB' } })])
  const close = async (): Promise<void> => {
    await broker.close()
    await server.stop()
  }
  return { server, broker, pool: server.pool(), close }
}

let tables = 0

/** An outbox of its own for a test. */
export async function newOutbox(pool: pg.Pool): Promise<{ readonly outbox: Outbox; readonly table: string }> {
  const table = `outbox_${++tables}`
  const outbox = new Outbox({ table })
  await migrate(pool, outbox)
  return { outbox, table }
}

/** Runs `work` in a transaction, and leaves it open: `end` commits or rolls back. */
export async function openTransaction(
  pool: pg.Pool,
): Promise<{ readonly sql: pg.PoolClient; readonly end: (how: 'COMMIT' | 'ROLLBACK') => Promise<void> }> {
  const sql = await pool.connect()
  await sql.query('BEGIN')
  const end = async (how: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
    await sql.query(how)
    sql.release()
  }
  return { sql, end }
}

/** Everything that is in a queue, without taking it. */
export async function contents(broker: EmbeddedBroker, queue: string): Promise<readonly StoredMessage[]> {
  try {
    return await broker.client.queue(queue).peek({ max: 100_000 })
  } catch (error) {
    if ((error as { code?: string }).code === 'not_found') return []
    throw error
  }
}

export async function texts(broker: EmbeddedBroker, queue: string): Promise<readonly string[]> {
  return (await contents(broker, queue)).map((message) => message.text())
}

export function idOf(message: StoredMessage | Message): string {
  return new TextDecoder().decode(message.headers['message-id'] ?? undefined)
}
