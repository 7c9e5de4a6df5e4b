import { type Message, messageIdentity, MillraceError, type StoredMessage } from '@millrace/client'
import { storedKey } from './hash.ts'
import { inTransaction, type PgClient, type PgPool, type SqlExecutor } from './sql-executor.ts'
import { TableName } from './table-name.ts'

const PURGE_MAX = 1000

export interface InboxOptions<Client extends PgClient = PgClient> {
  /** Names what is done once. The same message may come to several consumers, and each of them does its own work with it. */
  readonly consumer: string
  /** For `handle`. */
  readonly pool?: PgPool<Client>
  /** Default `millrace_inbox`. */
  readonly table?: string
}

/** Which messages were handled: written in the same transaction as what handling them changed, so that both happened or neither. */
export class Inbox<Client extends PgClient = PgClient> {
  readonly schema: string
  readonly #consumer: string
  readonly #pool: PgPool<Client> | undefined
  readonly #table: TableName

  constructor(options: InboxOptions<Client>) {
    this.#consumer = options.consumer
    this.#pool = options.pool
    this.#table = new TableName(options.table ?? 'millrace_inbox')
    this.schema = schema(this.#table)
  }

  /**
   * In a transaction of yours: notes the message. Waits for another transaction that handles it at this moment.
   * @returns false for a message that was handled before: do nothing, and commit
   */
  async claim(transaction: SqlExecutor, message: StoredMessage): Promise<boolean> {
    const { rows } = await transaction.query(
      `INSERT INTO ${this.#table.sql} (consumer, message) VALUES ($1::text, $2::text) ON CONFLICT DO NOTHING RETURNING 1 AS claimed`,
      [this.#consumer, storedKey(messageIdentity(message))],
    )
    return rows.length > 0
  }

  /**
   * In a transaction of its own: notes the message and runs `work`, unless it was handled before. Acks after the commit.
   * @returns whether `work` ran
   * @throws what `work` throws, after a rollback: then the message is not settled; MillraceError `stale_delivery` when it was
   *   handled, but too late to be acked: it comes again, and is then a duplicate
   */
  async handle(message: Message, work: (transaction: Client) => unknown): Promise<boolean> {
    if (this.#pool === undefined) throw new MillraceError('bad_request', '`handle` needs the inbox to have a `pool`.')
    const isNew = await inTransaction(this.#pool, 'BEGIN', async (transaction) => {
      if (!(await this.claim(transaction, message))) return false
      await work(transaction)
      return true
    })
    await message.ack()
    return isNew
  }

  /**
   * Forgets messages that were handled longer ago than `olderThanMs`, at most `max` of them (default 1,000).
   * @returns how many: call again while it is `max`
   */
  async purge(sql: SqlExecutor, olderThanMs: number, max: number = PURGE_MAX): Promise<number> {
    const { rows } = await sql.query(
      `DELETE FROM ${this.#table.sql} WHERE (consumer, message) IN (
  SELECT consumer, message FROM ${this.#table.sql}
  WHERE consumer = $1::text AND handled_at < now() - $2::float8 * interval '1 millisecond'
  ORDER BY handled_at LIMIT $3::int FOR UPDATE SKIP LOCKED
) RETURNING 1 AS purged`,
      [this.#consumer, olderThanMs, max],
    )
    return rows.length
  }
}

function schema(table: TableName): string {
  return `
CREATE TABLE IF NOT EXISTS ${table.sql} (
  consumer   text NOT NULL,
  message    text NOT NULL,
  handled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, message)
);
CREATE INDEX IF NOT EXISTS ${table.index('_age')} ON ${table.sql} (consumer, handled_at)`
}
