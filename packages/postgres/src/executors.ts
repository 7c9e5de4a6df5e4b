import type { SqlExecutor, SqlResult } from './sql-executor.ts'

// Query builders are described by what is used of them, so that none of them need be installed.

/** A `Kysely` or `Transaction` of kysely. */
export interface KyselyLike {
  executeQuery(query: never): Promise<{ readonly rows: readonly unknown[] }>
}

export function kyselyExecutor(transaction: KyselyLike): SqlExecutor {
  return {
    async query(text, values) {
      const compiled = {
        sql: text,
        parameters: values,
        query: { kind: 'RawNode', sqlFragments: [text], parameters: [] },
        queryId: { queryId: 'millrace' },
      }
      const { rows } = await transaction.executeQuery(compiled as never)
      return { rows: rows as SqlResult['rows'] }
    },
  }
}

/** A database or transaction of drizzle-orm for PostgreSQL. */
export interface DrizzleLike<Query> {
  execute(query: Query): PromiseLike<unknown>
}

/** @param sql the `sql` tag of drizzle-orm */
export function drizzleExecutor<Query>(
  transaction: DrizzleLike<Query>,
  sql: (strings: TemplateStringsArray, ...values: unknown[]) => Query,
): SqlExecutor {
  return {
    async query(text, values) {
      // "a $2 b $1 c" becomes the template `a ${values[1]} b ${values[0]} c`.
      const parts = text.split(/\$(\d+)/)
      const strings = parts.filter((_, n) => n % 2 === 0)
      const used = parts.filter((_, n) => n % 2 === 1).map((number) => values[Number(number) - 1])
      const result = await transaction.execute(sql(Object.assign(strings, { raw: strings }), ...used))
      return { rows: rowsOf(result) }
    },
  }
}

/** A `PrismaClient`, or what `$transaction(async (tx) => ...)` gives. */
export interface PrismaLike {
  $executeRawUnsafe(query: string, ...values: unknown[]): PromiseLike<number>
  $queryRawUnsafe(query: string, ...values: unknown[]): PromiseLike<unknown>
}

export function prismaExecutor(transaction: PrismaLike): SqlExecutor {
  return {
    async query(text, values) {
      if (/\bRETURNING\b|^\s*SELECT\b/.test(text)) return { rows: rowsOf(await transaction.$queryRawUnsafe(text, ...values)) }
      await transaction.$executeRawUnsafe(text, ...values)
      return { rows: [] }
    },
  }
}

/** Some drivers give the rows, others a result that has them. */
function rowsOf(result: unknown): SqlResult['rows'] {
  if (Array.isArray(result)) return result as SqlResult['rows']
  const { rows } = result as { readonly rows?: unknown }
  return Array.isArray(rows) ? (rows as SqlResult['rows']) : []
}
