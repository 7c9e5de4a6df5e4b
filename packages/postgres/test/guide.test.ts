import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import * as clientModule from '@millrace/client'
import * as postgresModule from '@millrace/postgres'
import { type EmbeddedBroker, startEmbedded } from 'millrace/embedded'
import { Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PostgresServer } from './postgres-server.ts'

const guide = readFileSync(new URL('../../../docs/doing-things-once.md', import.meta.url), 'utf8')
const snippets = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!)

const modules: Readonly<Record<string, object>> = { '@millrace/client': clientModule, '@millrace/postgres': postgresModule }
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>

let broker: EmbeddedBroker
let server: PostgresServer
let pool: pg.Pool

beforeAll(async () => {
  ;[broker, server] = await Promise.all([startEmbedded(), PostgresServer.start()])
  pool = server.pool()
  await pool.query(`
    CREATE TABLE orders (id int, state text);
    CREATE TABLE stock AS SELECT 'lamp' AS item, 10 AS count;
    CREATE TABLE accounts AS SELECT 1 AS id, 5 AS balance, 1 AS fence`)
})

afterAll(async () => {
  await broker.close()
  await server.stop()
})

/** Runs a snippet with what the guide takes for granted: `client`, `pool` and `kysely`. @returns what it printed */
async function run(code: string): Promise<readonly string[]> {
  const kysely = new Kysely({ dialect: new PostgresDialect({ pool }) })
  const names = new Map<string, unknown>([
    ['client', broker.client],
    ['pool', pool],
    ['kysely', kysely],
  ])
  const body = code.replaceAll(/^import \{ (.*) \} from '(.*)'$/gm, (_, imported: string, from: string) => {
    for (const name of imported.split(', ')) {
      expect(modules[from], `the module ${from}`).toHaveProperty(name)
      names.set(name, modules[from]![name as never])
    }
    return ''
  })
  const printed: string[] = []
  names.set('console', {
    log: (...values: unknown[]) =>
      void printed.push(values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ')),
    error: (...values: unknown[]) => expect.unreachable(values.join(' ')),
  })
  await new AsyncFunction(...names.keys(), body)(...names.values())
  return printed
}

describe('the guide to doing things once', () => {
  for (const [n, code] of snippets.entries()) {
    it(`snippet ${n}: ${code.trim().split('\n').at(-1)}`, async () => {
      const promised = [...code.matchAll(/\/\/ prints: (.*)$/gm)].map(([, text]) => text)
      expect(await run(code)).toEqual(promised)
    })
  }

  it('shows a fence that PostgreSQL takes', async () => {
    const [, update] = /^```sql\n([\s\S]*?)^```$/m.exec(guide)!
    expect((await pool.query(update!, [7, 2, 1])).rowCount).toBe(1)
    expect((await pool.query(update!, [8, 1, 1])).rowCount).toBe(0)
  })
})
