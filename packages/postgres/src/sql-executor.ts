import { MillraceError } from '@millrace/client'

/** One SQL statement with `$1`, `$2`, ... on one connection. A client, pool client or pool of `pg` is one as it is. */
export interface SqlExecutor {
  query(text: string, values: unknown[]): Promise<SqlResult>
}

export interface SqlResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

// What is used of `pg`, so that it need not be installed by those who bring another driver.

export interface PgResult extends SqlResult {
  /** The command that was executed, such as `COMMIT`. */
  readonly command: string
}

/** A client that a pool of `pg` lends. */
export interface PgClient extends SqlExecutor {
  query(text: string, values?: unknown[]): Promise<PgResult>
  release(destroy?: Error | boolean): void
  on(event: 'notification', listener: () => void): unknown
  on(event: 'error', listener: () => void): unknown
  removeListener(event: string, listener: () => void): unknown
}

/** A `Pool` of `pg`. */
export interface PgPool<Client extends PgClient = PgClient> extends SqlExecutor {
  query(text: string, values?: unknown[]): Promise<PgResult>
  connect(): Promise<Client>
}

/** Runs `work` in a transaction of its own: commits what it did, or rolls back when it throws. @param begin the statement to begin with */
export async function inTransaction<T, Client extends PgClient>(
  pool: PgPool<Client>,
  begin: string,
  work: (transaction: Client) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  client.on('error', toldByStatements)
  let broken: Error | undefined
  try {
    await client.query(begin)
    const result = await work(client)
    const { command } = await client.query('COMMIT')
    if (command !== 'COMMIT') throw swallowed()
    return result
  } catch (error) {
    broken = await rollBack(client)
    throw error
  } finally {
    client.removeListener('error', toldByStatements)
    client.release(broken)
  }
}

/** A client that loses its connection emits 'error', which must have a listener; the statement that runs, or the next one, fails. */
function toldByStatements(): void {}

/** PostgreSQL answers COMMIT with ROLLBACK, and without an error, after a statement failed whose error nobody passed on. */
function swallowed(): MillraceError {
  return new MillraceError(
    'bad_request',
    'The transaction was rolled back: one of its statements failed and the error was caught. Let it through, or use a SAVEPOINT.',
  )
}

/** @returns what is wrong with the connection, so that it is not used again */
async function rollBack(client: PgClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK')
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
