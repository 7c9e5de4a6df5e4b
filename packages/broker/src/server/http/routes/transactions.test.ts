import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../../compose.ts'
import { loadConfig } from '../../config/load.ts'
import { silentLog } from '../../log/log.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers of any shape are compared
type Json = any

let server: RunningServer

beforeAll(async () => {
  server = await startServer(await loadConfig({ flags: { engine: 'memory', listen: ['none', 'http=0'] } }), silentLog)
})

afterAll(() => server.close())

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Json }> {
  const response = await fetch(`http://${server.listeners['http']}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  return { status: response.status, body: await response.json() }
}

async function received(queue: string, max = 10): Promise<{ body: string; handle: string; attempt: number }[]> {
  return (await call('POST', `/v1/queues/${queue}/messages/receive?max=${max}&create=true`)).body.messages as never
}

async function bodies(kind: 'queues' | 'topics', name: string): Promise<Json[]> {
  return ((await call('GET', `/v1/${kind}/${name}/messages`)).body.messages as Json[]).map((message) => message.body)
}

function place(destination: string, offset: number): object {
  return { destination, partition: 0, offset }
}

function numbered(id: string): object {
  return { to: ['queue:once', 'queue:plain'], body: id, headers: { 'message-id': id } }
}

test('tells which messages were published before', async () => {
  await call('PUT', '/v1/queues/once', { dedup: { windowMs: 60_000 } })
  await call('POST', '/v1/transactions', { publish: [numbered('a')] })
  expect((await call('POST', '/v1/transactions', { publish: [numbered('b'), numbered('a')] })).body).toEqual({
    receipts: [
      [place('queue:once', 1), place('queue:plain', 1)],
      [{ ...place('queue:once', 0), duplicate: true }, place('queue:plain', 2)],
    ],
  })
  expect((await call('POST', '/v1/multicast', numbered('b'))).body).toEqual({
    receipts: [{ ...place('queue:once', 1), duplicate: true }, place('queue:plain', 3)],
  })
})

test('publishes and settles as one', async () => {
  await call('PUT', '/v1/queues/in', { delivery: { deadLetter: 'queue:dead' } })
  for (const body of ['a', 'b', 'c']) await call('POST', '/v1/queues/in/messages', body)
  const [a, b, c] = await received('in')
  const request = {
    publish: [
      { to: ['queue:out', 'topic:log', 'queue:out'], body: { n: 1 }, key: 'k' },
      { to: ['queue:out'], bodyBase64: 'aGk=', headers: { h: 'x' } },
    ],
    settle: [
      { handles: [a!.handle], outcome: 'ack' },
      { handles: [b!.handle], outcome: 'nack', error: 'later' },
      { handles: [c!.handle], outcome: 'reject', reason: 'bad' },
    ],
  }
  expect(await call('POST', '/v1/transactions', request)).toEqual({
    status: 200,
    body: {
      receipts: [[place('queue:out', 0), place('topic:log', 0), place('queue:out', 0)], [place('queue:out', 1)]],
    },
  })
  expect(await bodies('queues', 'out')).toEqual([{ n: 1 }, 'hi'])
  expect(await bodies('topics', 'log')).toEqual([{ n: 1 }])
  expect(await received('in')).toMatchObject([{ body: 'b', attempt: 2 }])
  expect(await bodies('queues', 'dead')).toEqual(['c'])
  // All handles of it are used now.
  expect(await call('POST', '/v1/transactions', request)).toMatchObject({ status: 409, body: { code: 'stale_delivery' } })
  expect(await bodies('queues', 'out')).toHaveLength(2)
})

test('publishes one message to all of a list', async () => {
  const answer = await call('POST', '/v1/multicast', { to: ['queue:x', 'queue:y'], body: 'hello' })
  expect(answer.status).toBe(201)
  expect(answer.body.receipts).toEqual([
    { destination: 'queue:x', partition: 0, offset: 0 },
    { destination: 'queue:y', partition: 0, offset: 0 },
  ])
  expect([await bodies('queues', 'x'), await bodies('queues', 'y')]).toEqual([['hello'], ['hello']])
})

test.each([
  ['no object', [], 'bad_request'],
  ['an unknown member', { commit: [] }, 'bad_request'],
  ['a publish to nowhere', { publish: [{ body: 'x' }] }, 'bad_request'],
  ['a publish to an empty list', { publish: [{ to: [], body: 'x' }] }, 'bad_request'],
  ['a publish without a body', { publish: [{ to: ['queue:never'] }] }, 'bad_request'],
  ['a destination that is none', { publish: [{ to: ['never'], body: 'x' }] }, 'bad_request'],
  ['a handle that is none', { settle: [{ handles: ['?'], outcome: 'ack' }] }, 'bad_request'],
  ['a handle of before', { settle: [{ handles: ['YS4wLjAuMQ'], outcome: 'ack' }] }, 'stale_delivery'],
  ['an extension', { settle: [{ handles: [], outcome: 'extend' }] }, 'bad_request'],
  ['a reason of an ack', { settle: [{ handles: [], outcome: 'ack', reason: 'x' }] }, 'bad_request'],
])('refuses %s, and does nothing', async (_, wrong, code) => {
  const { publish = [], settle = [], ...rest } = wrong as Json
  const all = Array.isArray(wrong) ? wrong : { ...rest, publish: [{ to: ['queue:never'], body: 'x' }, ...publish], settle }
  expect((await call('POST', '/v1/transactions', all)).body.code).toBe(code)
  expect((await call('GET', '/v1/queues/never/messages')).body.messages ?? []).toEqual([])
})

test('producers whose transactions stay open are under the same path', async () => {
  expect(await call('GET', '/v1/transactions')).toEqual({ status: 200, body: { items: [] } })
  expect(await call('GET', '/v1/transactions/pay%2F1')).toMatchObject({ status: 404, body: { code: 'not_found' } })
  expect(await call('POST', '/v1/transactions/pay%2F1/abort')).toMatchObject({ status: 404, body: { code: 'not_found' } })
})
