import { callUser, MillraceError } from '@millrace/client'
import type { TableName } from '../table-name.ts'
import { Alarm } from './alarm.ts'
import { CommitListener } from './commit-listener.ts'
import { retryDelayMs } from './destination-pauses.ts'
import { purgeStatement } from './outbox-schema.ts'
import type { Relay, RelayOptions } from './relay-options.ts'
import { RelayRound } from './relay-round.ts'
import { RowSender } from './row-sender.ts'

const BATCH_ROWS = 500
const BATCH_BYTES = 4 * 1024 * 1024
const POLL_MS = 1000
const PUBLISH_TIMEOUT_MS = 10_000
const RETRY_DELAY_MS = { min: 100, max: 10_000 }
const PURGE_EVERY_MS = 10_000
const PURGE_MAX = 1000

/** Runs one round after the other while there is something to send, and waits for a commit, or the next poll, when there is not. */
export class OutboxRelay implements Relay {
  readonly done: Promise<void>
  readonly #options: RelayOptions
  readonly #alarm = new Alarm()
  readonly #sender: RowSender
  readonly #round: RelayRound
  readonly #listener: CommitListener | undefined
  readonly #purge: string
  readonly #pollMs: number
  readonly #keepSentMs: number
  readonly #retryDelayMs: { readonly min: number; readonly max: number }
  #failures = 0
  #purgedAtMs = 0

  constructor(table: TableName, listens: boolean, options: RelayOptions) {
    const { batchRows = BATCH_ROWS, batchBytes = BATCH_BYTES, pollMs = POLL_MS, keepSentMs = 0, pool } = options
    const { publishTimeoutMs = PUBLISH_TIMEOUT_MS } = options
    checkNumbers({ batchRows, batchBytes, pollMs, publishTimeoutMs }, 1)
    checkNumbers({ keepSentMs }, 0)
    this.#options = options
    this.#pollMs = pollMs
    this.#keepSentMs = keepSentMs
    this.#retryDelayMs = options.retryDelayMs ?? RETRY_DELAY_MS
    this.#sender = new RowSender(options.millrace)
    const ring = (): void => this.#alarm.ring()
    this.#round = new RelayRound(
      {
        pool,
        table,
        batchRows,
        batchBytes,
        publishTimeoutMs,
        keepSent: keepSentMs > 0,
        retryDelayMs: this.#retryDelayMs,
        onUnstuck: ring,
      },
      this.#sender,
    )
    this.#listener = listens ? new CommitListener(pool, table.channel, ring) : undefined
    this.#purge = purgeStatement(table)
    this.done = this.#run()
    // Whoever does not look at `done` is told by `onError`.
    this.done.catch(() => {})
  }

  async stop(): Promise<void> {
    this.#alarm.stop()
    await this.done.catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #run(): Promise<void> {
    const { millrace, onError } = this.#options
    const unsubscribe = millrace.on('state', () => this.#alarm.ring())
    try {
      while (!this.#alarm.stopped) {
        if (millrace.state === 'closed') throw closedError()
        if (!(await this.#step())) await this.#alarm.untilRung(Math.min(this.#pollMs, this.#round.nextRetryMs))
      }
    } catch (error) {
      callUser(onError, error)
      throw error
    } finally {
      unsubscribe()
      this.#listener?.close()
      if (!this.#round.isStuck) await this.#sender.close()
    }
  }

  /** @returns whether to go on at once */
  async #step(): Promise<boolean> {
    if (this.#options.millrace.state !== 'connected' || this.#round.isStuck) return false
    try {
      await this.#listener?.listen()
      const result = await this.#round.run()
      this.#failures = 0
      for (const error of result?.errors ?? []) callUser(this.#options.onError, error)
      if (result !== undefined) callUser(this.#options.onProgress, result.progress)
      await this.#sender.trim()
      await this.#purgeSent()
      return result !== undefined
    } catch (error) {
      callUser(this.#options.onError, error)
      await this.#alarm.delay(retryDelayMs(this.#retryDelayMs, this.#failures++))
      return true
    }
  }

  async #purgeSent(): Promise<void> {
    if (this.#keepSentMs === 0 || performance.now() - this.#purgedAtMs < Math.min(this.#keepSentMs, PURGE_EVERY_MS)) return
    this.#purgedAtMs = performance.now()
    await this.#options.pool.query(this.#purge, [this.#keepSentMs, PURGE_MAX])
  }
}

/** What a timer of JavaScript can wait for. */
const NUMBER_MAX = 2 ** 31 - 1

/** @throws MillraceError `bad_request` */
function checkNumbers(options: Readonly<Record<string, number>>, min: number): void {
  for (const [name, value] of Object.entries(options)) {
    if (Number.isSafeInteger(value) && value >= min && value <= NUMBER_MAX) continue
    throw new MillraceError('bad_request', `\`${name}\` is a whole number from ${min} to ${NUMBER_MAX}, not ${value}.`)
  }
}

function closedError(): MillraceError {
  return new MillraceError('closed', 'The Millrace client of this relay was closed: stop the relay first, or make a new one.')
}
