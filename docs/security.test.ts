import * as client from '@millrace/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type RunningServer } from '../packages/broker/src/server/compose.ts'
import { loadConfig } from '../packages/broker/src/server/config/load.ts'
import { parseListen } from '../packages/broker/src/server/config/listen.ts'
import { silentLog } from '../packages/broker/src/server/log/log.ts'
import { parseRule } from '../packages/broker/src/server/security/rule.ts'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { runSnippet, snippetsOf } from './snippets.ts'

const guide = new URL('security.md', import.meta.url)
const text = readFileSync(guide, 'utf8')
const snippets = snippetsOf('security.md')
let server: RunningServer

beforeAll(async () => {
  const flags = { engine: 'memory', listen: ['none', 'native=0'], drainTimeoutMs: 0 }
  server = await startServer(await loadConfig({ flags }), silentLog)
  server.security.users.create({ name: 'ops', password: 'of ops', rules: ['allow all **'] })
})
afterAll(() => server.close())

test('there are snippets', () => {
  expect(snippets).toHaveLength(2)
})

test.each(snippets)('$title', async ({ code, prints }) => {
  const names = { url: `millrace://${server.listeners['native']}`, password: 'of ops' }
  expect(await runSnippet(code, { '@millrace/client': client }, names)).toEqual(prints)
})

test('its rules and its configuration are valid', () => {
  const rules = [...text.matchAll(/'((?:allow|deny) [^']+)'/g)].map(([, rule]) => rule!)
  expect(rules.length).toBeGreaterThan(4)
  for (const rule of rules) parseRule(rule)
  const yaml = parse(/```yaml\n([\s\S]*?)```/.exec(text)![1]!) as { listen: unknown }
  expect(parseListen(yaml.listen).listeners.get('http')).toMatchObject({ host: '127.0.0.1', tls: false })
})
