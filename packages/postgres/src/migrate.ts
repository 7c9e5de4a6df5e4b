import type { PgPool } from './sql-executor.ts'

/** Something that keeps its data in tables. */
export interface HasSchema {
  /** SQL that creates what is missing; harmless where nothing is. */
  readonly schema: string
}

/** "mill" in ASCII: one migration at a time in a database. */
const MIGRATION_LOCK = 0x6d696c6c

/** Creates the tables of what is passed, in one transaction, also when many processes start at the same time. */
export async function migrate(pool: Pick<PgPool, 'query'>, ...parts: readonly HasSchema[]): Promise<void> {
  // Without values PostgreSQL takes many statements at once, and makes them one transaction.
  await pool.query([`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`, ...parts.map((part) => part.schema)].join(';\n'))
}
