import type { Body, OutgoingMessage, PublishOptions } from '@millrace/client'
import type { SqlExecutor } from '../sql-executor.ts'
import { TableName } from '../table-name.ts'
import { encodeRows } from './message-rows.ts'
import { insertStatement, outboxSchema, PENDING, purgeStatement } from './outbox-schema.ts'
import { OutboxRelay } from './outbox-relay.ts'
import type { Relay, RelayOptions } from './relay-options.ts'

const PURGE_MAX = 1000

/** What counts from the publish, which is later than the transaction. */
type LeftOut = 'timestampMs' | 'ttlMs' | 'delayMs' | 'deliverAt'

export interface OutboxOptions {
  /** Default `millrace_outbox`. */
  readonly table?: string
  /**
   * Whether a commit wakes the relays (LISTEN/NOTIFY) or is found by their next poll. Default true. PostgreSQL makes commits that
   * notify wait for each other: a database with many thousands of them a second does better without.
   */
  readonly notify?: boolean
}

export interface Backlog {
  readonly pending: number
  /** Refused by the broker for good; see `unpark`. */
  readonly parked: number
  /** Age of the oldest pending message; 0 without any. */
  readonly lagMs: number
}

/** Messages that are written in your own SQL transaction, and published by a relay once it is committed. */
export class Outbox {
  readonly schema: string
  readonly #table: TableName
  readonly #notify: boolean
  readonly #insert: string

  constructor(options: OutboxOptions = {}) {
    this.#table = new TableName(options.table ?? 'millrace_outbox')
    this.#notify = options.notify ?? true
    this.schema = outboxSchema(this.#table)
    this.#insert = insertStatement(this.#table, this.#notify)
  }

  /**
   * Adds a message to the transaction. Messages of one key are published in the order in which they were added.
   * @param destination `queue:NAME` or `topic:NAME`
   * @returns its id: the header `message-id`, which every copy of it has
   * @throws MillraceError `bad_request`; and what the executor throws
   */
  async add(
    transaction: SqlExecutor,
    destination: string,
    body: Body,
    options: Omit<PublishOptions, 'signal' | LeftOut> = {},
  ): Promise<string> {
    const [id] = await this.addBatch(transaction, destination, [{ ...options, body }])
    return id!
  }

  /** Adds many messages in one statement. @returns their ids, in order */
  async addBatch(
    transaction: SqlExecutor,
    destination: string,
    messages: readonly Omit<OutgoingMessage, LeftOut>[],
  ): Promise<readonly string[]> {
    const { json, ids } = encodeRows(destination, messages)
    if (ids.length > 0) await transaction.query(this.#insert, [json, this.#table.lockClass])
    return ids
  }

  /** Starts to publish what is committed. Any number of relays may run, in any number of processes. */
  relay(options: RelayOptions): Relay {
    return new OutboxRelay(this.#table, this.#notify, options)
  }

  /** Counts what waits. Reads all of it: for a dashboard, not for a loop. */
  async backlog(sql: SqlExecutor): Promise<Backlog> {
    const { rows } = await sql.query(
      `SELECT count(*) FILTER (WHERE ${PENDING})::float8 AS pending, count(*) FILTER (WHERE parked IS NOT NULL)::float8 AS parked,
  coalesce(extract(epoch FROM clock_timestamp() - min(added_at) FILTER (WHERE ${PENDING})) * 1000, 0)::float8 AS lag
FROM ${this.#table.sql} WHERE sent_at IS NULL`,
      [],
    )
    const [row] = rows
    return { pending: Number(row!['pending']), parked: Number(row!['parked']), lagMs: Math.max(0, Number(row!['lag'])) }
  }

  /**
   * Gives parked messages back to the relays: after the cause is gone, such as a limit of the broker that was too low. They come
   * after messages of their key that were published meanwhile.
   * @returns how many
   */
  async unpark(sql: SqlExecutor): Promise<number> {
    const { rows } = await sql.query(
      `UPDATE ${this.#table.sql} SET parked = NULL WHERE parked IS NOT NULL RETURNING 1 AS unparked`,
      [],
    )
    return rows.length
  }

  /**
   * Deletes what was sent longer ago than `olderThanMs`, at most `max` of it (default 1,000). Only needed where a relay that keeps
   * what it sent (`keepSentMs`) does not run any more.
   * @returns how many: call again while it is `max`
   */
  async purge(sql: SqlExecutor, olderThanMs: number, max: number = PURGE_MAX): Promise<number> {
    const { rows } = await sql.query(purgeStatement(this.#table), [olderThanMs, max])
    return rows.length
  }
}
