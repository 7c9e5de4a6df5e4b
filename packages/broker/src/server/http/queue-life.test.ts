import { expect, test } from 'vitest'
import { HttpOfFile } from '../../../test/harness/http-of-file.ts'

/** For `expect.poll`: machines that are busy need time, and a test that passes does not use it up. */
const soon = { timeout: 20_000 }

const http = new HttpOfFile()
const { call } = http

async function receive(queue: string, query = ''): Promise<unknown> {
  return (await call('POST', `/v1/queues/${queue}/messages/receive${query}`)).body.messages
}

test('queues have any text as their name; settings of how they end, and labels', async () => {
  for (const name of ['a b', 'a/b', 'a:b/c', '%41', '100%', 'ä€😀', '?x=1#y', '"quoted"', '/']) {
    const path = `/v1/queues/${encodeURIComponent(name)}`
    expect(await call('PUT', path, { delivery: { leaseMs: 5000 } })).toMatchObject({ status: 201, body: { name } })
    expect((await call('POST', `${path}/messages`, 'hello')).status).toBe(201)
    const { body } = await call('POST', `${path}/messages/receive`)
    expect(body.messages).toMatchObject([{ body: 'hello' }])
    expect(await call('DELETE', `${path}/messages/${body.messages[0].handle}`)).toMatchObject({ status: 204 })
    expect((await call('GET', path)).body).toMatchObject({ name, ready: 0, inFlight: 0, durable: true, autoDelete: false })
    expect(await call('DELETE', path)).toMatchObject({ status: 204 })
  }
  const settings = { durable: false, autoDelete: true, labels: { team: 'ops', list: [1, { deep: null }] } }
  expect(await call('PUT', '/v1/queues/brief', settings)).toMatchObject({ status: 201, body: settings })
  expect(await call('PUT', '/v1/queues/brief', { ...settings, labels: {} })).toMatchObject({ status: 409 })
  expect((await call('PATCH', '/v1/queues/brief', { labels: {} })).body).not.toHaveProperty('labels')
  // Requests that receive neither keep it nor end it.
  expect(await receive('brief')).toEqual([])
  expect(await call('DELETE', '/v1/queues/brief')).toMatchObject({ status: 204 })
})

test('a receive that does not wait is answered at once, beside one that does', async () => {
  await call('PUT', '/v1/queues/beside')
  const waiting = receive('beside', '?waitMs=20000&max=2')
  await expect.poll(async () => (await call('GET', '/v1/queues/beside')).body.consumers, soon).toBe(1)
  const before = performance.now()
  expect(await receive('beside')).toEqual([])
  expect(performance.now() - before).toBeLessThan(900)
  await call('POST', '/v1/queues/beside/messages', 'x')
  expect(await waiting).toMatchObject([{ body: 'x' }])
})

test('nobody receives beside one that consumes alone, whoever asked before', async () => {
  await call('PUT', '/v1/queues/alone')
  expect(await receive('alone')).toEqual([])
  const sink = { deliver: () => {}, closed: () => {} }
  const consumer = http.broker.consume('queue:alone', { exclusive: true }, sink)
  await call('POST', '/v1/queues/alone/messages', 'x')
  expect(await call('POST', '/v1/queues/alone/messages/receive')).toMatchObject({ status: 409, body: { code: 'in_use' } })
  consumer.close()
  expect(await receive('alone')).toMatchObject([{ body: 'x' }])
})
