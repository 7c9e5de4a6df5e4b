import {
  type BeginOptions,
  type BeginResult,
  checkBeginOptions,
  type IdempotencyEntry,
  type IdempotencyStore,
  LATE_COMPLETION_MS,
  MillraceError,
  staleClaim,
} from '@millrace/client'
import { hash31, storedKey } from './hash.ts'
import type { SqlExecutor } from './sql-executor.ts'
import { TableName } from './table-name.ts'

const PURGE_MAX = 1000
/** Every so many calls of `begin` one of them purges as many entries, and as many again. */
const PURGE_EVERY = 100
/** Each try meets somebody who changed the entry between two statements of this one. */
const TRIES_MAX = 20

export interface PostgresIdempotencyStoreOptions {
  /** Default `millrace_idempotency`. */
  readonly table?: string
}

/** Idempotency keys in a table; times are those of the database's clock. */
export class PostgresIdempotencyStore implements IdempotencyStore {
  readonly schema: string
  readonly #sql: SqlExecutor
  readonly #table: TableName
  readonly #statements: ReturnType<typeof statements>
  #begun = 0

  /** @param sql a pool: each call is a transaction of its own */
  constructor(sql: SqlExecutor, options: PostgresIdempotencyStoreOptions = {}) {
    this.#sql = sql
    this.#table = new TableName(options.table ?? 'millrace_idempotency')
    this.#statements = statements(this.#table)
    this.schema = schema(this.#table)
  }

  async begin(key: string, options: BeginOptions): Promise<BeginResult> {
    checkBeginOptions(options)
    if (++this.#begun % PURGE_EVERY === 0) await this.purge(PURGE_EVERY * 2)
    const { leaseMs, retentionMs, fingerprint } = options
    const stored = storedKey(key)
    for (let n = 0; n < TRIES_MAX; n++) {
      const values = [this.#table.lockClass, hash31(stored), stored, fingerprint ?? null, leaseMs, retentionMs]
      const [claimed] = (await this.#sql.query(this.#statements.begin, values)).rows
      if (claimed !== undefined) return { state: 'started', fence: Number(claimed['fence']) }
      const [entry] = (await this.#sql.query(this.#statements.get, [stored])).rows
      if (entry !== undefined) return occupied(entry, fingerprint)
    }
    throw new MillraceError('overloaded', `Others begin and end ${JSON.stringify(key)} so quickly that this call found no gap.`)
  }

  async complete(key: string, fence: number, result?: Uint8Array): Promise<void> {
    const bytes = result === undefined ? null : Buffer.from(result)
    const { rows } = await this.#sql.query(this.#statements.complete, [storedKey(key), fence, bytes])
    if (rows.length === 0) throw staleClaim(key, fence)
  }

  async release(key: string, fence: number): Promise<void> {
    const { rows } = await this.#sql.query(this.#statements.release, [storedKey(key), fence])
    if (rows.length === 0) throw staleClaim(key, fence)
  }

  async get(key: string): Promise<IdempotencyEntry | undefined> {
    const [row] = (await this.#sql.query(this.#statements.get, [storedKey(key)])).rows
    if (row === undefined) return undefined
    const fence = Number(row['fence'])
    return row['done'] === true ? { state: 'done', fence, result: bytesOf(row['result']) } : { state: 'in-progress', fence }
  }

  async purge(max: number = PURGE_MAX): Promise<number> {
    const { rows } = await this.#sql.query(this.#statements.purge, [max, LATE_COMPLETION_MS])
    return rows.length
  }
}

function occupied(row: Readonly<Record<string, unknown>>, fingerprint: string | undefined): BeginResult {
  const known = row['fingerprint'] as string | null
  if (fingerprint !== undefined && known !== null && known !== fingerprint) return { state: 'mismatch' }
  if (row['done'] === true) return { state: 'done', result: bytesOf(row['result']) }
  return { state: 'in-progress', retryAfterMs: Math.max(1, Math.ceil(Number(row['remaining']))) }
}

function bytesOf(value: unknown): Uint8Array | undefined {
  // A plain view: `pg` gives a Buffer, and users compare constructors.
  return value instanceof Uint8Array ? new Uint8Array(value.buffer, value.byteOffset, value.length) : undefined
}

function schema(table: TableName): string {
  return `
CREATE SEQUENCE IF NOT EXISTS ${table.beside('_fence')};
CREATE TABLE IF NOT EXISTS ${table.sql} (
  key          text PRIMARY KEY,
  done         boolean NOT NULL,
  fence        bigint NOT NULL,
  fingerprint  text,
  -- when the lease is over, or the retention once it is done
  until_at     timestamptz NOT NULL,
  retention_ms bigint NOT NULL,
  result       bytea
);
CREATE INDEX IF NOT EXISTS ${table.index('_until')} ON ${table.sql} (until_at)`
}

function statements(table: TableName): Readonly<Record<'begin' | 'get' | 'complete' | 'release' | 'purge', string>> {
  return {
    // The lock comes before nextval, so that who claims a key later has a higher fence, even if the entry is deleted in between.
    begin: `
WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock($1::int, $2::int))
INSERT INTO ${table.sql} AS entry (key, done, fence, fingerprint, until_at, retention_ms)
SELECT $3::text, false, nextval('${table.beside('_fence')}'), $4::text,
       clock_timestamp() + $5::float8 * interval '1 millisecond', $6::bigint
FROM turn
ON CONFLICT (key) DO UPDATE
SET done = false, fence = excluded.fence, fingerprint = excluded.fingerprint, until_at = excluded.until_at,
    retention_ms = excluded.retention_ms, result = NULL
WHERE entry.until_at <= clock_timestamp()
RETURNING fence`,
    get: `
SELECT done, fence, fingerprint, result, (extract(epoch FROM until_at - clock_timestamp()) * 1000)::float8 AS remaining
FROM ${table.sql} WHERE key = $1::text AND until_at > clock_timestamp()`,
    complete: `
UPDATE ${table.sql}
SET done = true, until_at = clock_timestamp() + retention_ms * interval '1 millisecond', result = $3::bytea
WHERE key = $1::text AND fence = $2::bigint AND NOT done
RETURNING fence`,
    release: `
DELETE FROM ${table.sql} WHERE key = $1::text AND fence = $2::bigint AND NOT done
RETURNING fence`,
    purge: `
DELETE FROM ${table.sql} WHERE key IN (
  SELECT key FROM ${table.sql}
  WHERE until_at <= now() AND (done OR until_at <= now() - $2::float8 * interval '1 millisecond')
  ORDER BY until_at LIMIT $1::int FOR UPDATE SKIP LOCKED
)
RETURNING fence`,
  }
}
