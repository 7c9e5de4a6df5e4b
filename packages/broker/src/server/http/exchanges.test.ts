import { expect, test } from 'vitest'
import { HttpOfFile } from '../../../test/harness/http-of-file.ts'

const http = new HttpOfFile()

/** @returns status and JSON */
async function call(method: string, path: string, body?: object | string): Promise<readonly [number, unknown]> {
  const answer = await http.call(method, path, body)
  return [answer.status, answer.body]
}

test('exchanges and bindings over HTTP', async () => {
  const path = '/v1/exchanges/orders%2Feu'
  const shown = { name: 'orders/eu', type: 'topic', durable: true, autoDelete: false, internal: false }
  expect(await call('PUT', path, { type: 'topic' })).toMatchObject([201, shown])
  expect(await call('PUT', path, { type: 'topic' })).toMatchObject([200, shown])
  expect(await call('PUT', path, { type: 'direct' })).toMatchObject([409, { code: 'already_exists' }])
  expect(await call('PUT', path)).toMatchObject([400, {}])
  expect(await call('PUT', '/v1/exchanges/x', { type: 'sideways' })).toMatchObject([400, { code: 'bad_request' }])

  await call('PUT', '/v1/queues/paid', {})
  const binding = { destination: 'queue:paid', key: 'paid.#' }
  for (let n = 0; n < 2; n++)
    expect(await call('PUT', `${path}/bindings`, binding)).toEqual([200, { source: 'orders/eu', ...binding }])
  expect(await call('PUT', `${path}/bindings`, { destination: 'queue:none' })).toMatchObject([404, { code: 'not_found' }])
  expect(await call('GET', `${path}/bindings`)).toEqual([200, { items: [{ source: 'orders/eu', ...binding }] }])
  expect(await call('GET', '/v1/bindings?destination=queue:paid')).toEqual([
    200,
    { items: [{ source: 'orders/eu', ...binding }] },
  ])

  expect(await call('POST', `${path}/messages?key=paid.1`, 'm')).toEqual([201, { partition: 0, offset: -1 }])
  expect(await call('POST', `${path}/messages?key=sent.1`, 'n')).toMatchObject([422, { code: 'unroutable' }])
  const messages = [
    { key: 'paid.2', body: 'o' },
    { key: 'paid.3', body: 'p' },
  ]
  expect(await call('POST', `${path}/messages`, { messages })).toMatchObject([
    201,
    { receipts: [{ offset: -1 }, { offset: -1 }] },
  ])
  expect(await call('POST', `${path}/messages`, { messages: [...messages, { key: 'sent', body: 'q' }] })).toMatchObject([422, {}])
  const [, peeked] = await call('GET', '/v1/queues/paid/messages')
  expect((peeked as { messages: object[] }).messages).toMatchObject([
    { body: 'm', key: 'paid.1', headers: { exchange: 'orders/eu' } },
    { body: 'o', key: 'paid.2' },
    { body: 'p', key: 'paid.3' },
  ])
  expect(await call('GET', path)).toMatchObject([200, { counters: { in: 5, out: 3, unroutable: 2 } }])

  expect(await call('POST', '/v1/multicast', { to: ['exchange:orders%2Feu/paid.4'], body: 'r' })).toMatchObject([
    201,
    { receipts: [{ destination: 'exchange:orders%2Feu/paid.4', offset: -1 }] },
  ])
  expect(await call('DELETE', `${path}?ifUnused=true`)).toMatchObject([409, { code: 'in_use' }])
  expect(await call('DELETE', `${path}/bindings`, binding)).toEqual([204, undefined])
  expect(await call('DELETE', `${path}/bindings`, binding)).toEqual([204, undefined])
  expect(await call('DELETE', `${path}?ifUnused=true`)).toEqual([204, undefined])
  expect(await call('GET', '/v1/exchanges?prefix=orders')).toEqual([200, { items: [] }])
  expect(await call('POST', `${path}/messages`, 'm')).toMatchObject([404, { code: 'not_found' }])
})

test('bindings need not have a key, and may have arguments', async () => {
  await call('PUT', '/v1/exchanges/h', { type: 'headers', alternate: 'rest', labels: { a: [1] } })
  await call('PUT', '/v1/topics/t', {})
  const match = { mode: 'all', headers: { a: 1, b: true, c: null } }
  expect(await call('PUT', '/v1/exchanges/h/bindings', { destination: 'topic:t', match })).toEqual([
    200,
    { source: 'h', destination: 'topic:t', key: '', match },
  ])
  expect(await call('GET', '/v1/exchanges/h')).toMatchObject([200, { alternate: 'rest', labels: { a: [1] } }])
  expect(await call('GET', '/v1/exchanges/none/bindings')).toMatchObject([404, {}])
})
