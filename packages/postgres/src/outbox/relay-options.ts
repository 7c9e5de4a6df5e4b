import type { Millrace } from '@millrace/client'
import type { PgPool } from '../sql-executor.ts'

export interface RelayOptions {
  /** A pool of `pg`. A relay takes one connection while it sends, and keeps one to be woken by. */
  readonly pool: PgPool
  readonly millrace: Pick<Millrace, 'publisher' | 'state' | 'on'>
  /** Messages that are read at once (default 500)... */
  readonly batchRows?: number
  /** ...and bytes of their bodies, beyond the first message (default 4 MiB). */
  readonly batchBytes?: number
  /** How often to look for messages when nothing wakes the relay. Default 1,000. */
  readonly pollMs?: number
  /** How long the broker may take to confirm, before the transaction is given up and the messages are tried again. Default 10,000. */
  readonly publishTimeoutMs?: number
  /** Pause after a failure: doubles from `min` to `max`. Default 100 to 10,000. */
  readonly retryDelayMs?: { readonly min: number; readonly max: number }
  /** Keeps what was sent for so long, marked `sent_at`. Default 0: deleted as soon as the broker has it. */
  readonly keepSentMs?: number
  /** Called after each batch. */
  readonly onProgress?: (progress: RelayProgress) => void
  /** Called when something failed that is tried again, and for each message that is parked. */
  readonly onError?: (error: unknown) => void
}

export interface RelayProgress {
  readonly sent: number
  /** Refused by the broker for good, and set aside. */
  readonly parked: number
  /** Age of the oldest message of the batch when it was read. */
  readonly lagMs: number
  /** How long the batch took. */
  readonly durationMs: number
}

export interface Relay extends AsyncDisposable {
  /** Finishes the batch that is under way, and lets go of its connections. */
  stop(): Promise<void>
  /** Resolves when stopped; rejects with `closed` when the Millrace client was closed for good. */
  readonly done: Promise<void>
}
