import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type RunningServer } from '../../compose.ts'
import { loadConfig } from '../../config/load.ts'
import { silentLog } from '../../log/log.ts'

let server: RunningServer
const authorization = `Basic ${Buffer.from('root:toor').toString('base64')}`

beforeAll(async () => {
  const config = await loadConfig({ flags: { engine: 'memory', listen: ['http=0'], drainTimeoutMs: 0 } })
  server = await startServer(config, silentLog)
  server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
})
afterAll(() => server.close())

async function call(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`http://${server.listeners['http']}/v1/users/ann${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

test('permissions are set and withdrawn one by one', async () => {
  const tags = ['monitoring']
  expect(await call('PUT', '', { tags, limits: { maxConnections: 2 } })).toMatchObject({ status: 201, body: { tags } })
  const here = { vhost: '/', configure: 'a', write: 'b', read: 'c' }
  const prod = { vhost: 'prod', configure: '', write: '', read: '' }
  const keys = { vhost: '/', exchange: 'amq.topic', write: 'a', read: 'b' }
  expect((await call('PUT', '/permissions', here)).status).toBe(204)
  expect((await call('PUT', '/permissions', prod)).status).toBe(204)
  expect((await call('PUT', '/topic-permissions', keys)).status).toBe(204)
  expect((await call('PUT', '/topic-permissions', { ...keys, exchange: 'x' })).status).toBe(204)
  const all = { permissions: [here, prod], topicPermissions: [keys, { ...keys, exchange: 'x' }], limits: { maxConnections: 2 } }
  expect((await call('GET', '')).body).toMatchObject(all)

  expect((await call('PUT', '/permissions', { ...here, read: '(' })).status).toBe(400)
  expect((await call('PUT', '/permissions', { vhost: '/' })).status).toBe(400)
  expect((await call('DELETE', '/permissions/%2F')).status).toBe(204)
  expect((await call('DELETE', '/topic-permissions/%2F?exchange=x')).status).toBe(204)
  expect((await call('GET', '')).body).toMatchObject({ permissions: [prod], topicPermissions: [keys] })
  expect((await call('DELETE', '/topic-permissions/%2F')).status).toBe(204)
  expect((await call('GET', '')).body).toMatchObject({ topicPermissions: [] })
})
