import { frameSchemas } from '@millrace/wire'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operations } from '../src/protocols/api/operations.ts'
import { startServer, type RunningServer } from '../src/server/compose.ts'
import { loadConfig } from '../src/server/config/load.ts'
import { silentLog } from '../src/server/log/log.ts'
import { openRawPeer, type RawPeer } from './harness/raw-native-peer.ts'

/** Who may do nothing does nothing: every operation of HTTP and of the native protocol is listed here, and refused. */

let server: RunningServer
let http: string

beforeAll(async () => {
  server = await startServer(
    await loadConfig({ flags: { engine: 'memory', listen: ['native=0', 'http=0'], drainTimeoutMs: 0 } }),
    silentLog,
  )
  http = `http://${server.listeners['http']}`
  const { broker } = server
  broker.createQueue({ name: 'q' })
  broker.createTopic({ name: 't' })
  broker.createSubscription({ topic: 't', name: 's' })
  server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  server.security.users.create({ name: 'nobody', password: 'nothing' })
})
afterAll(async () => {
  await server.close()
})

const as = (user: string, password: string): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

/** What each route is called with; `undefined` where it is for everybody. */
const bodies: Readonly<Record<string, object | undefined>> = {
  'topic.list': {},
  'topic.create': {},
  'topic.get': {},
  'topic.update': {},
  'topic.delete': {},
  'topic.publish': {},
  'topic.request': {},
  'topic.peek': {},
  'topic.tail': {},
  'topic.message': {},
  'queue.list': {},
  'queue.create': {},
  'queue.get': {},
  'queue.update': {},
  'queue.delete': {},
  'queue.publish': {},
  'queue.peek': {},
  'queue.tail': {},
  'queue.message': {},
  'queue.receive': {},
  'queue.settle': { handles: [], outcome: 'ack' },
  'queue.ack': {},
  'queue.request': {},
  'queue.reply': {},
  'queue.purge': {},
  'queue.redrive': {},
  'exchange.list': {},
  'exchange.create': { type: 'topic' },
  'exchange.get': {},
  'exchange.delete': {},
  'exchange.publish': {},
  'exchange.request': {},
  'binding.list': {},
  'exchange.bindings.list': {},
  'binding.create': { destination: 'queue:q' },
  'binding.delete': { destination: 'queue:q' },
  'subscription.list': {},
  'topic.subscriptions.list': {},
  'subscription.create': {},
  'subscription.get': {},
  'subscription.update': {},
  'subscription.delete': {},
  'subscription.receive': {},
  'subscription.settle': { handles: [], outcome: 'ack' },
  'subscription.ack': {},
  'subscription.reply': {},
  'group.list': {},
  'group.get': {},
  'group.delete': {},
  'group.reset': { topic: 't', to: 'earliest' },
  'redrive.list': {},
  'redrive.get': {},
  'redrive.cancel': {},
  'scheduled.cancel': {},
  'transaction.list': {},
  'transaction.get': {},
  'transaction.abort': {},
  transaction: { publish: [{ to: ['queue:q'], body: 'x' }] },
  multicast: { to: ['queue:q', 'topic:t'], body: 'x' },
  'quota.list': {},
  'quota.set': {},
  'quota.remove': {},
  'user.list': {},
  'user.get': {},
  'user.create': {},
  'user.update': {},
  'user.delete': {},
  'user.token': {},
  'user.revoke': {},
  'user.permit': {},
  'user.permitTopic': {},
  'user.withdraw': {},
  'user.withdrawTopic': {},
  metrics: {},
  status: {},
  livez: undefined,
  readyz: undefined,
  openapi: undefined,
}

interface Route {
  readonly id: string
  readonly method: string
  readonly path: string
}

async function routes(): Promise<readonly Route[]> {
  const { paths } = (await (await fetch(`${http}/v1/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { operationId: string }>>
  }
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => ({ id: operationId, method: method.toUpperCase(), path })),
  )
}

function call({ id, method, path }: Route, headers: Record<string, string>): Promise<Response> {
  const filled = path
    .replace('{topic}', 't')
    .replace('{name}', path.includes('{topic}') ? 's' : path.includes('topics') ? 't' : 'q')
    .replace('{id}', '1')
    .replace('{vhost}', '%2F')
    .replace('{offset}', '0')
    .replace('{handle}', Buffer.from('a.0.0.1').toString('base64url'))
  const body = method === 'GET' || method === 'DELETE' ? {} : { body: JSON.stringify(bodies[id] ?? {}) }
  return fetch(http + filled, { method, headers: { 'content-type': 'application/json', ...headers }, ...body })
}

describe('HTTP', () => {
  test('every operation refuses who may do nothing, and who does not say who it is', async () => {
    const all = await routes()
    expect(all.map(({ id }) => id).toSorted()).toEqual(Object.keys(bodies).toSorted())
    for (const route of all) {
      const isOpen = bodies[route.id] === undefined
      const answer = await call(route, { authorization: as('nobody', 'nothing') })
      expect([route.id, answer.status]).toEqual([route.id, isOpen ? 200 : 403])
      const unnamed = await call(route, {})
      expect([route.id, unnamed.status]).toEqual([route.id, isOpen ? 200 : 401])
      if (!isOpen) expect(unnamed.headers.get('www-authenticate')).toMatch(/^Basic/)
      await answer.body?.cancel()
      await unnamed.body?.cancel()
    }
  })

  test('a handle counts for whoever it was given to', async () => {
    const { users } = server.security
    for (const name of ['eve', 'ann']) users.create({ name, password: name, rules: ['allow publish,consume queue:leases'] })
    const url = `${http}/v1/queues/leases/messages`
    const post = (path: string, user: string, body: string): Promise<Response> =>
      fetch(url + path, {
        method: 'POST',
        headers: { authorization: as(user, user), 'content-type': 'application/json' },
        body,
      })
    expect((await post('', 'ann', '"x"')).status).toBe(201)
    const received = (await (await post('/receive', 'ann', '')).json()) as { messages: [{ handle: string }] }
    const settle = JSON.stringify({ handles: [received.messages[0].handle], outcome: 'ack' })
    expect((await post('/settle', 'eve', settle)).status).toBe(409)
    expect((await post('/settle', 'ann', settle)).status).toBe(200)
  })
})

/** Parameters with which each call gets as far as being asked who may. */
const params: Readonly<Record<string, object>> = {
  ...Object.fromEntries(
    ['topic.create', 'topic.delete', 'topic.get', 'queue.create', 'queue.delete', 'queue.get', 'queue.purge', 'queue.redrive']
      .concat(['group.get', 'group.delete', 'user.create', 'user.delete', 'user.get', 'user.token'])
      .map((name) => [name, { name: 'q' }]),
  ),
  ...Object.fromEntries(
    [
      'topic.list',
      'queue.list',
      'subscription.list',
      'group.list',
      'redrive.list',
      'user.list',
      'quota.list',
      'transaction.list',
      'status',
      'exchange.list',
      'binding.list',
    ].map((name) => [name, {}]),
  ),
  ...Object.fromEntries(
    ['subscription.create', 'subscription.get', 'subscription.delete'].map((name) => [name, { topic: 't', name: 's' }]),
  ),
  'exchange.create': { name: 'x', type: 'topic' },
  'exchange.get': { name: 'x' },
  'exchange.delete': { name: 'x' },
  'binding.create': { source: 'x', destination: 'queue:q' },
  'binding.delete': { source: 'x', destination: 'queue:q' },
  'topic.update': { name: 't', change: {} },
  'queue.update': { name: 'q', change: {} },
  'user.update': { name: 'q', change: {} },
  'user.revoke': { name: 'q', id: 'x' },
  'user.permit': { name: 'q', permission: { vhost: '/', configure: '', write: '', read: '' } },
  'user.permitTopic': { name: 'q', permission: { vhost: '/', exchange: 'x', write: '', read: '' } },
  'user.withdraw': { name: 'q', vhost: '/' },
  'user.withdrawTopic': { name: 'q', vhost: '/' },
  'quota.set': { user: 'q', publishBytesPerSecond: 1 },
  'quota.remove': { user: 'q' },
  'transaction.get': { transactionalId: 'x' },
  'transaction.abort': { transactionalId: 'x' },
  'subscription.update': { topic: 't', name: 's', change: {} },
  'group.reset': { name: 'g', topic: 't', to: 'earliest' },
  'producer.open': { destination: 'queue:q', name: 'p' },
  'scheduled.cancel': { id: 1 },
  'redrive.get': { id: 1 },
  'redrive.cancel': { id: 1 },
  'message.get': { source: 'queue:q', offset: 0 },
  peek: { source: 'queue:q' },
}

describe('the native protocol', () => {
  let peer: RawPeer
  beforeAll(async () => {
    peer = await openRawPeer(server.listeners['native']!)
    peer.send('hello', { magic: 0x4d4c5243, version: 1, options: { user: 'nobody', password: 'nothing' } })
    await peer.next()
  })
  afterAll(() => peer.close())

  test('every call refuses who may do nothing', async () => {
    expect(Object.keys(params).toSorted()).toEqual(Object.keys(operations).toSorted())
    for (const [n, [method, given]] of Object.entries(params).entries()) {
      peer.send('call', { call: n, method, params: { ...given } })
      expect([method, await peer.next()]).toMatchObject([method, { name: 'failure', call: n, reason: { code: 'forbidden' } }])
    }
  })

  test('so does every frame', async () => {
    // Frames of the handshake, frames about what an `open` or `consume` has let in, and calls, which the table above has.
    const others = ['hello', 'response', 'ping', 'pong', 'goodbye', 'call', 'release', 'grant', 'leave', 'revoke']
    const inside = ['publish', 'publishLater', 'settle']
    const asking = ['open', 'consume', 'transact']
    const fromClients = Object.entries(frameSchemas).filter(([, { from }]) => from !== 'broker')
    expect(fromClients.map(([name]) => name).toSorted()).toEqual([...others, ...inside, ...asking].toSorted())
    const forbidden = { reason: { code: 'forbidden' } }

    peer.send('open', { publisher: 0, create: 1, destination: 'queue:q' })
    expect(await peer.next()).toMatchObject({ name: 'openFailed', ...forbidden })
    peer.send('publish', { publisher: 0, partition: -1, batch: new Uint8Array(61) })
    expect(await peer.next()).toMatchObject({ name: 'refused', ...forbidden })
    expect((await peer.next()).name).toBe('confirm')
    peer.send('publishLater', { publisher: 0, partition: -1, dueMs: 5, batch: new Uint8Array(61) })
    expect(await peer.next()).toMatchObject({ name: 'refused', ...forbidden })
    expect((await peer.next()).name).toBe('confirm')
    for (const mode of ['consume', 'read']) {
      peer.send('consume', { consumer: 0, options: { source: 'queue:q', mode } })
      expect(await peer.next()).toMatchObject({ name: 'ended', ...forbidden })
    }
    peer.send('settle', {
      consumer: 0,
      outcome: 0,
      ranges: [{ partition: 0, first: 0, last: 0, attempt: 0 }],
      options: undefined,
    })
    expect(await peer.next()).toMatchObject({ name: 'settleFailed' })
    expect((await peer.next()).name).toBe('settled')
    const request = { publishes: [{ to: ['queue:q'], bytes: 61 }] }
    peer.send('transact', { transaction: 1, request, batches: new Uint8Array(61) })
    expect(await peer.next()).toMatchObject({ name: 'transactFailed', ...forbidden })
  })
})

/** @param user whose password is the same */
function put(path: string, method: string, body: object, user = 'def'): Promise<Response> {
  const headers = { authorization: as(user, user), 'content-type': 'application/json' }
  return fetch(http + path, { method, headers, body: JSON.stringify(body) })
}

async function statusFor(user: string, path: string, method: string, body: object): Promise<number> {
  return (await put(path, method, body, user)).status
}

test('dead letters go only where who defines them may publish, and redriven ones where who redrives may', async () => {
  const { users } = server.security
  users.create({ name: 'def', password: 'def', rules: ['allow define,consume queue:mine*', 'allow publish queue:mine'] })
  const { broker } = server
  broker.createQueue({ name: 'mine-dead' })
  broker.createQueue({ name: 'mine' })
  expect((await put('/v1/queues/mine-2', 'PUT', { delivery: { deadLetter: 'queue:q' } })).status).toBe(403)
  expect((await put('/v1/queues/mine-2', 'PUT', { delivery: { deadLetter: 'queue:mine' } })).status).toBe(201)
  expect((await put('/v1/queues/mine-2', 'PATCH', { delivery: { deadLetter: 'queue:q' } })).status).toBe(403)
  expect((await put('/v1/queues/mine-dead/redrive', 'POST', { to: 'queue:q' })).status).toBe(403)

  // Two dead letters, one of them of a queue where it may not publish. Anybody who can publish can write such a header.
  for (const origin of ['queue:q', 'queue:mine']) {
    const answer = await fetch(`${http}/v1/queues/mine-dead/messages`, {
      method: 'POST',
      headers: { authorization: as('root', 'toor'), 'millrace-header-millrace-dead-source': origin },
      body: 'x',
    })
    expect(answer.status).toBe(201)
  }
  expect(await (await put('/v1/queues/mine-dead/redrive', 'POST', {})).json()).toMatchObject({ moved: 1, left: 1 })
  expect(broker.queue('mine').ready).toBe(1)
})

test('exchanges have rules of their own: to publish to one, and to bind what one may publish to', async () => {
  const { users } = server.security
  const rules = ['allow create,publish,read exchange:mine/*', 'allow publish queue:free']
  users.create({ name: 'router', password: 'router', rules })
  for (const name of ['free', 'other']) server.broker.createQueue({ name })
  const mine = '/v1/exchanges/mine%2Fa'
  expect(await statusFor('router', '/v1/exchanges/yours', 'PUT', { type: 'fanout' })).toBe(403)
  expect(await statusFor('router', mine, 'PUT', { type: 'fanout', alternate: 'yours' })).toBe(403)
  expect(await statusFor('router', mine, 'PUT', { type: 'fanout', alternate: 'mine/b' })).toBe(201)
  expect(await statusFor('router', `${mine}/bindings`, 'PUT', { destination: 'queue:other' })).toBe(403)
  expect(await statusFor('router', `${mine}/bindings`, 'PUT', { destination: 'queue:free' })).toBe(200)
  expect(await statusFor('router', `${mine}/messages`, 'POST', {})).toBe(201)
  for (const [to, status] of [
    ['exchange:mine%2Fa/some key', 201],
    ['exchange:/free', 201],
    ['exchange:/other', 403],
    ['exchange:yours', 403],
  ] as const) {
    expect([to, await statusFor('router', '/v1/multicast', 'POST', { to: [to], body: 'x' })]).toEqual([to, status])
  }
  expect(server.broker.queue('free').ready).toBe(3)
})

test('changed rules act on what is open', async () => {
  const { users } = server.security
  const rules = ['allow publish queue:q', 'allow consume queue:q']
  users.create({ name: 'bob', password: 'bob', rules })
  const peer = await openRawPeer(server.listeners['native']!)
  peer.send('hello', { magic: 0x4d4c5243, version: 1, options: { user: 'bob', password: 'bob' } })
  expect((await peer.next()).name).toBe('welcome')
  peer.send('open', { publisher: 0, create: 1, destination: 'queue:q' })
  expect((await peer.next()).name).toBe('opened')
  peer.send('consume', { consumer: 0, options: { source: 'queue:q', mode: 'consume' } })
  expect((await peer.next()).name).toBe('consuming')
  users.update('bob', { rules: [rules[0]!] })
  expect(await peer.next()).toMatchObject({ name: 'ended', consumer: 0, reason: { code: 'forbidden' } })
  users.update('bob', { rules: [] })
  expect(await peer.next()).toMatchObject({ name: 'openFailed', publisher: 0, reason: { code: 'forbidden' } })
  users.delete('bob')
  expect(await peer.next()).toMatchObject({ name: 'goodbye', reason: { code: 'unauthorized' } })
  peer.close()
})
