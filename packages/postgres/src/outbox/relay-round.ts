import { MillraceError } from '@millrace/client'
import { inTransaction, type PgClient, type PgPool } from '../sql-executor.ts'
import type { TableName } from '../table-name.ts'
import { DestinationPauses } from './destination-pauses.ts'
import { LANES } from './lanes.ts'
import { decodeRow, type OutboxRow } from './message-rows.ts'
import type { RelayProgress } from './relay-options.ts'
import { relayStatements, type RelayStatements } from './relay-statements.ts'
import type { Outcome, RowSender } from './row-sender.ts'
import { WriterBarrier } from './writer-barrier.ts'

/** Lanes that one relay takes at a time: others want some, too. */
const LANES_PER_ROUND = 16

export interface RoundOptions {
  readonly pool: PgPool
  readonly table: TableName
  readonly batchRows: number
  readonly batchBytes: number
  readonly publishTimeoutMs: number
  readonly keepSent: boolean
  readonly retryDelayMs: { readonly min: number; readonly max: number }
  readonly onUnstuck: () => void
}

export interface RoundResult {
  readonly progress: RelayProgress
  readonly errors: readonly unknown[]
}

/**
 * One batch, in one transaction: lock lanes that have something to send, read the heads of those lanes, publish them, mark them once
 * the broker has confirmed, commit. Whatever dies in between leaves the rows as they were, and they are published again with the
 * same ids.
 */
export class RelayRound {
  #isStuck = false
  readonly #options: RoundOptions
  readonly #sender: RowSender
  readonly #sql: RelayStatements
  readonly #barrier = new WriterBarrier()
  readonly #pauses: DestinationPauses
  #firstLane = Math.floor(Math.random() * LANES)

  constructor(options: RoundOptions, sender: RowSender) {
    this.#options = options
    this.#sender = sender
    this.#pauses = new DestinationPauses(options.retryDelayMs)
    this.#sql = relayStatements(options.table, options.publishTimeoutMs, options.keepSent)
  }

  /** Whether messages that were handed to the broker have no outcome yet, after a timeout. Nothing more is published before they have. */
  get isStuck(): boolean {
    return this.#isStuck
  }

  /** When something that failed may be tried again; Infinity when nothing did. */
  get nextRetryMs(): number {
    return this.#pauses.nextMs
  }

  /** @returns undefined when there was nothing to send */
  async run(): Promise<RoundResult | undefined> {
    const startedMs = performance.now()
    return inTransaction(this.#options.pool, this.#sql.begin, async (transaction) => {
      await this.#observeWriters(transaction)
      const { paused } = this.#pauses
      const lanes = await this.#lockLanes(transaction, paused)
      const { rows, lagMs } = await this.#readHeads(transaction, lanes, paused)
      if (rows.length === 0) return undefined
      const outcome = await this.#send(rows)
      await this.#mark(transaction, outcome)
      const { sent, parked, failed } = outcome
      for (const { destination } of sent) this.#pauses.succeeded(destination)
      for (const { destination } of failed) this.#pauses.failed(destination)
      const durationMs = performance.now() - startedMs
      const progress = { sent: sent.length, parked: parked.length, lagMs, durationMs }
      return { progress, errors: [...parked, ...failed].map(({ error }) => error) }
    })
  }

  /** In this order, and before the rows are read: WriterBarrier tells why. */
  async #observeWriters(transaction: PgClient): Promise<void> {
    const [last] = (await transaction.query(this.#sql.lastId)).rows
    const writers = await transaction.query(this.#sql.writers, [this.#options.table.lockClass])
    this.#barrier.observe(Number(last!['id']), writers.rows as { lane: number; writer: string }[])
  }

  async #lockLanes(transaction: PgClient, paused: readonly string[]): Promise<readonly number[]> {
    this.#firstLane = (this.#firstLane + LANES_PER_ROUND) % LANES
    const { rows } = await transaction.query(this.#sql.lanes, [this.#barrier.safe, this.#firstLane, LANES_PER_ROUND, paused])
    return rows.map((row) => row['lane'] as number)
  }

  async #readHeads(
    transaction: PgClient,
    lanes: readonly number[],
    paused: readonly string[],
  ): Promise<{ readonly rows: readonly OutboxRow[]; readonly lagMs: number }> {
    if (lanes.length === 0) return { rows: [], lagMs: 0 }
    const { batchRows, batchBytes } = this.#options
    const safe = lanes.map((lane) => this.#barrier.safe[lane])
    const { rows } = await transaction.query(this.#sql.rows, [lanes, safe, batchRows, batchBytes, paused])
    return { rows: rows.map(decodeRow), lagMs: Math.max(0, ...rows.map((row) => Number(row['lag_ms']))) }
  }

  /** @throws MillraceError `timeout` */
  async #send(rows: readonly OutboxRow[]): Promise<Outcome> {
    const { publishTimeoutMs } = this.#options
    const sending = this.#sender.send(rows)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), publishTimeoutMs)
    })
    const outcome = await Promise.race([sending, late])
    clearTimeout(timer)
    if (outcome !== undefined) return outcome
    this.#isStuck = true
    void this.#noteEndOf(sending)
    throw new MillraceError(
      'timeout',
      `The broker did not confirm ${rows.length} messages of the outbox within ${publishTimeoutMs} ms; they are sent again.`,
    )
  }

  async #noteEndOf(sending: Promise<Outcome>): Promise<void> {
    await sending
    this.#isStuck = false
    this.#options.onUnstuck()
  }

  async #mark(transaction: PgClient, { sent, parked }: Outcome): Promise<void> {
    if (sent.length > 0) await transaction.query(this.#sql.finish, [sent.map((row) => row.id)])
    if (parked.length > 0) {
      const reasons = parked.map(({ error }) => `${error.code}: ${error.message}`.replaceAll('\0', ''))
      await transaction.query(this.#sql.park, [parked.map(({ row }) => row.id), reasons])
    }
  }
}
