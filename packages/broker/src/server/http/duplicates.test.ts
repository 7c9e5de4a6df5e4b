import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../compose.ts'
import { loadConfig } from '../config/load.ts'
import { silentLog } from '../log/log.ts'

let server: RunningServer

beforeAll(async () => {
  const flags = { engine: 'memory', listen: ['none', 'http=0'] }
  server = await startServer(await loadConfig({ flags }), silentLog)
})
afterAll(() => server.close())

async function call(
  method: string,
  path: string,
  body?: object | string,
  headers: Record<string, string> = {},
): Promise<unknown> {
  const isText = typeof body === 'string'
  const response = await fetch(`http://${server.listeners['http']}${path}`, {
    method,
    headers: { ...(isText ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
  })
  return response.json()
}

function messages(...ids: string[]): object {
  return { messages: ids.map((id) => ({ body: id, headers: { 'message-id': id } })) }
}

test('a message that was published before is confirmed with the place of the first one', async () => {
  const path = '/v1/queues/once'
  expect(await call('PUT', path, { dedup: { windowMs: 60_000 } })).toMatchObject({
    dedup: { windowMs: 60_000, entriesMax: 1_000_000 },
  })
  expect(await call('POST', `${path}/messages`, messages('a', 'b'))).toEqual({
    receipts: [
      { partition: 0, offset: 0 },
      { partition: 0, offset: 1 },
    ],
  })
  expect(await call('POST', `${path}/messages`, messages('b', 'c', 'a', 'd'))).toEqual({
    receipts: [
      { partition: 0, offset: 1, duplicate: true },
      { partition: 0, offset: 2 },
      { partition: 0, offset: 0, duplicate: true },
      { partition: 0, offset: 3 },
    ],
  })
  const single = await call('POST', `${path}/messages`, 'x', { 'millrace-header-message-id': 'd' })
  expect(single).toEqual({ partition: 0, offset: 3, duplicate: true })
  expect(await call('GET', path)).toMatchObject({ ready: 4 })
  expect(await call('PATCH', path, { dedup: { windowMs: 0 } })).not.toHaveProperty('dedup')
})
