import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../compose.ts'
import { loadConfig } from '../config/load.ts'
import { silentLog } from '../log/log.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers of any shape are compared
type Json = any

let server: RunningServer

beforeAll(async () => {
  const config = await loadConfig({ flags: { engine: 'memory', listen: ['none', 'http=0'] } })
  server = await startServer(config, silentLog)
})

afterAll(() => server.close())

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Json }> {
  const response = await fetch(`http://${server.listeners['http']}${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

/** A queue whose messages were rejected. @returns the name of its dead letters */
async function rejected(name: string, ...bodies: string[]): Promise<string> {
  const dead = `${name}-dead`
  await call('PUT', `/v1/queues/${name}`, { delivery: { deadLetter: `queue:${dead}` } })
  await call('POST', `/v1/queues/${name}/messages`, { messages: bodies.map((body) => ({ body })) })
  const { messages } = (await call('POST', `/v1/queues/${name}/messages/receive?max=100`)).body
  const handles = messages.map(({ handle }: Json) => handle)
  await call('POST', `/v1/queues/${name}/messages/settle`, { handles, outcome: 'reject', reason: 'no such customer' })
  await expect.poll(async () => (await call('GET', `/v1/queues/${dead}`)).body.ready, { timeout: 20_000 }).toBe(bodies.length)
  return dead
}

test('dead letters tell how they died, in lists and one by one', async () => {
  const dead = await rejected('orders', 'one', 'two')
  const { messages } = (await call('GET', `/v1/queues/${dead}/messages`)).body
  expect(messages).toHaveLength(2)
  const { death } = messages[1]
  expect(death).toEqual({
    reason: 'rejected',
    attempts: 1,
    source: 'queue:orders',
    partition: 0,
    offset: 1,
    timeMs: expect.any(Number),
    timestampMs: expect.any(Number),
    error: 'no such customer',
    count: 1,
  })
  expect(death.timestampMs).toBeLessThanOrEqual(death.timeMs)
  expect(await call('GET', `/v1/queues/${dead}/messages/1`)).toEqual({ status: 200, body: messages[1] })
  expect((await call('GET', `/v1/queues/${dead}/messages/2`)).body.code).toBe('offset_out_of_range')
  expect((await call('GET', `/v1/queues/${dead}/messages/x`)).status).toBe(400)
  expect((await call('GET', '/v1/queues/none/messages/0')).status).toBe(404)
})

test('are redriven: what would be moved, one, and the rest', async () => {
  const dead = await rejected('bills', 'a', 'b', 'c')
  const dry = await call('POST', `/v1/queues/${dead}/redrive`, { dryRun: true })
  expect(dry).toMatchObject({ status: 200, body: { state: 'done', dryRun: true, moved: 3, source: `queue:${dead}` } })
  expect(dry.body.groups).toEqual([{ origin: 'queue:bills', reason: 'rejected', moved: 3, left: 0 }])
  expect((await call('POST', `/v1/queues/${dead}/redrive`, { offset: 1 })).body).toMatchObject({ moved: 1 })
  expect((await call('POST', `/v1/queues/${dead}/redrive`)).body).toMatchObject({ moved: 2, scanned: 2 })
  const { messages } = (await call('GET', '/v1/queues/bills/messages')).body
  expect(messages.map(({ body }: Json) => body)).toEqual(['b', 'a', 'c'])
  expect(messages[0].headers).toMatchObject({ 'millrace-redriven-count': '1' })
  expect(messages[0]).not.toHaveProperty('death')
})

test('a redrive that takes its time can be watched and cancelled', async () => {
  const dead = await rejected('slow', 'a', 'b', 'c')
  const started = await call('POST', `/v1/queues/${dead}/redrive`, { ratePerSecond: 0.01, waitMs: 0 })
  expect(started).toMatchObject({ status: 202, body: { state: 'running' } })
  const { id } = started.body
  expect((await call('GET', '/v1/redrives')).body.items.map((info: Json) => info.id)).toContain(id)
  await expect.poll(async () => (await call('GET', `/v1/redrives/${id}`)).body.moved, { timeout: 20_000 }).toBe(1)
  expect((await call('DELETE', `/v1/redrives/${id}`)).body).toMatchObject({ state: 'cancelled', moved: 1 })
  expect((await call('GET', `/v1/redrives/${id}?waitMs=1000`)).body).toMatchObject({ state: 'cancelled', moved: 1 })
  expect((await call('GET', '/v1/redrives/12345')).status).toBe(404)
})

test('what is wrong with a redrive is said', async () => {
  const dead = await rejected('odd', 'a')
  const cases: [unknown, string][] = [
    [{ to: 'queue:nowhere' }, 'not_found'],
    [{ filter: 'a = ' }, 'bad_selector'],
    [{ max: 0 }, 'bad_request'],
    [{ dry: true }, 'bad_request'],
    [[], 'bad_request'],
    [{ offset: 99 }, 'offset_out_of_range'],
  ]
  for (const [body, code] of cases) {
    const answer = await call('POST', `/v1/queues/${dead}/redrive`, body)
    expect([answer.body.code, JSON.stringify(body)]).toEqual([code, JSON.stringify(body)])
  }
})

test('a queue is purged', async () => {
  await call('POST', '/v1/queues/full/messages', { messages: [{ body: 'held' }, { body: 'b' }, { body: 'c' }] })
  await call('POST', '/v1/queues/full/messages/receive?max=1')
  expect(await call('POST', '/v1/queues/full/purge')).toEqual({ status: 200, body: { messages: 2 } })
  expect((await call('GET', '/v1/queues/full')).body).toMatchObject({ ready: 0, inFlight: 1 })
  expect((await call('POST', '/v1/queues/none/purge')).status).toBe(404)
})

test('messages expire: by their own time, and by the policy', async () => {
  await call('PUT', '/v1/queues/short', { delivery: { deadLetter: 'queue:expired', ttlMs: 3_600_000 }, expireMs: 3_600_000 })
  expect((await call('GET', '/v1/queues/short')).body).toMatchObject({ delivery: { ttlMs: 3_600_000 }, expireMs: 3_600_000 })
  await call('POST', '/v1/queues/short/messages?ttlMs=1', 'one')
  await call('POST', '/v1/queues/short/messages', {
    messages: [
      { body: 'old', timestampMs: 1000 },
      { body: 'two', ttlMs: 1 },
    ],
  })
  await call('POST', '/v1/queues/short/messages?timestampMs=5000&ttlMs=1', 'dated')
  await call('POST', '/v1/queues/short/messages', 'stays')
  await expect.poll(async () => (await call('GET', '/v1/queues/expired')).body.ready, { timeout: 20_000 }).toBe(4)
  const { messages } = (await call('GET', '/v1/queues/expired/messages')).body
  expect(messages.map(({ body, death }: Json) => [body, death.reason, death.attempts])).toEqual(
    ['"one"', 'old', 'two', '"dated"'].map((body) => [expect.stringContaining(body.replaceAll('"', '')), 'expired', 0]),
  )
  expect((await call('GET', '/v1/queues/short')).body.ready).toBe(1)
  expect((await call('POST', '/v1/queues/short/messages?ttlMs=0', 'x')).body.code).toBe('bad_request')
})
