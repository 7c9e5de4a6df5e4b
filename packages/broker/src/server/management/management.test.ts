import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../compose.ts'
import { loadConfig } from '../config/load.ts'
import { silentLog } from '../log/log.ts'
import { managementRoutes } from './management-api.ts'

let server: RunningServer
beforeEach(async () => {
  const flags = { engine: 'memory', listen: ['none', 'amqp=0', 'management=0'], drainTimeoutMs: 0 }
  server = await startServer(await loadConfig({ flags }), silentLog)
})
afterEach(() => server.close())

interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers: Headers
}

async function call(method: string, path: string, body?: object, user = 'guest:guest'): Promise<Answer> {
  const response = await fetch(`http://${server.listeners['management']}/api${path}`, {
    method,
    headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers }
}

const statusOf = async (...request: Parameters<typeof call>): Promise<number> => (await call(...request)).status
const bodyOf = async (path: string, user?: string): Promise<unknown> => (await call('GET', path, undefined, user)).body

describe('without users', () => {
  test('whatever name and password is given is taken, and may do everything', async () => {
    expect(await bodyOf('/whoami')).toEqual({ name: 'anonymous', tags: ['administrator'] })
    expect(await bodyOf('/overview')).toMatchObject({ object_totals: { exchanges: 7, queues: 0, connections: 0 } })
  })

  test('what is not there, and what is no path, is not found', async () => {
    const missing = { error: 'Object Not Found', reason: 'Not Found' }
    for (const path of ['/queues/%2F/none', '/exchanges/%2F/none', '/vhosts/none', '/queues/none', '/nonsense'])
      expect(await call('GET', path)).toMatchObject({ status: 404, body: missing })
  })

  test('queues are declared, looked at, and deleted on conditions', async () => {
    const path = '/queues/%2F/a%2Fb'
    const declared = { durable: false, arguments: { 'x-message-ttl': 60_000 } }
    expect(await statusOf('PUT', path, declared)).toBe(201)
    expect(await statusOf('PUT', path, declared)).toBe(204)
    expect(await call('PUT', path, { durable: true })).toMatchObject({
      status: 400,
      body: { error: 'bad_request', reason: expect.stringMatching(/^406 PRECONDITION_FAILED - inequivalent arg 'durable'/) },
    })
    expect(server.broker.queue('a/b').delivery.ttlMs).toBe(60_000)
    expect(await bodyOf(path)).toMatchObject({
      name: 'a/b',
      vhost: '/',
      ...declared,
      type: 'classic',
      messages: 0,
      state: 'running',
    })
    await call('POST', '/exchanges/%2F/amq.default/publish', message('a/b', 'x'))
    expect(await statusOf('DELETE', `${path}?if-empty=true`)).toBe(400)
    expect(await statusOf('DELETE', `${path}/contents`)).toBe(204)
    expect(await statusOf('DELETE', `${path}?if-empty=true`)).toBe(204)
    expect(await statusOf('GET', path)).toBe(404)
    expect(await call('PUT', '/queues/%2F/amq.mine', {})).toMatchObject({
      status: 401,
      body: { reason: expect.stringMatching(/reserved prefix/) },
    })
  })

  test('exchanges and bindings', async () => {
    expect(await statusOf('PUT', '/exchanges/%2F/orders', { type: 'topic' })).toBe(201)
    expect(await statusOf('PUT', '/exchanges/%2F/all', { type: 'fanout' })).toBe(201)
    expect(await statusOf('PUT', '/exchanges/%2F/bad', { type: 'nonsense' })).toBe(400)
    await call('PUT', '/queues/%2F/q', {})
    const pair = '/bindings/%2F/e/orders/q/q'
    expect((await call('POST', pair, { routing_key: 'eu.*' })).headers.get('location')).toBe('eu.%252A')
    const withArguments = await call('POST', pair, { routing_key: 'eu.*', arguments: { n: 1 } })
    expect(withArguments.status).toBe(201)
    expect(await statusOf('POST', '/bindings/%2F/e/all/e/orders', {})).toBe(201)
    expect(await bodyOf(pair)).toMatchObject([{ properties_key: 'eu.%2A' }, { arguments: { n: 1 } }])
    expect(await bodyOf(`${pair}/eu.%252A`)).toMatchObject({ source: 'orders', destination: 'q', routing_key: 'eu.*' })
    expect(await statusOf('DELETE', `${pair}/${withArguments.headers.get('location')}`)).toBe(204)
    expect(await bodyOf('/queues/%2F/q/bindings')).toMatchObject([{ source: '' }, { source: 'orders', routing_key: 'eu.*' }])
    expect(await bodyOf('/exchanges/%2F/orders/bindings/destination')).toMatchObject([{ source: 'all', properties_key: '~' }])
    expect(await bodyOf('/exchanges/%2F/orders/bindings/source')).toMatchObject([{ destination: 'q' }])
    expect(await statusOf('DELETE', '/exchanges/%2F/orders?if-unused=true')).toBe(400)
    expect(await statusOf('DELETE', '/exchanges/%2F/orders')).toBe(204)
    expect(await statusOf('DELETE', '/exchanges/%2F/amq.topic')).toBe(401)
  })

  test('messages are published, looked at, and taken', async () => {
    await call('PUT', '/queues/%2F/q', {})
    const publish = '/exchanges/%2F/amq.default/publish'
    const properties = {
      delivery_mode: 2,
      content_type: 'text/plain',
      headers: { n: 7, list: ['a', true] },
      timestamp: 1_700_000_000,
    }
    expect((await call('POST', publish, { ...message('q', 'hello'), properties })).body).toEqual({ routed: true })
    const binary = { ...message('q', Buffer.from([255, 0]).toString('base64')), payload_encoding: 'base64' }
    expect((await call('POST', publish, binary)).body).toEqual({ routed: true })
    expect((await call('POST', publish, message('none', ''))).body).toEqual({ routed: false })
    expect(await statusOf('POST', publish, { ...message('q', ''), properties: { delivery_mode: 'x' } })).toBe(400)

    const get = { count: 5, ackmode: 'ack_requeue_true', encoding: 'auto', truncate: 3 }
    const first = { payload: 'hel', payload_bytes: 5, payload_encoding: 'string', exchange: '', routing_key: 'q', properties }
    const looked = (await call('POST', '/queues/%2F/q/get', get)).body
    expect(looked).toMatchObject([
      { ...first, redelivered: false, message_count: 1 },
      { payload: '/wA=', payload_encoding: 'base64', message_count: 0 },
    ])
    const taken = (await call('POST', '/queues/%2F/q/get', { ...get, count: 1, ackmode: 'ack_requeue_false' })).body
    expect(taken).toMatchObject([{ ...first, redelivered: true }])
    expect(await bodyOf('/queues/%2F/q?columns=messages,message_stats.ack')).toEqual({ messages: 1, message_stats: { ack: 1 } })
    expect(await statusOf('POST', '/queues/%2F/q/get', { count: 1, ackmode: 'nonsense' })).toBe(400)
    expect(await bodyOf('/aliveness-test/%2F')).toEqual({ status: 'ok' })
  })

  test('a queue tells since when it has been idle, once it is', async () => {
    const path = '/queues/%2F/idle'
    const beforeMs = Date.now()
    await call('PUT', path, {})
    expect(await bodyOf(path)).not.toHaveProperty('idle_since')
    await expect.poll(() => bodyOf(path), { timeout: 5000 }).toHaveProperty('idle_since')
    const { idle_since: since } = (await bodyOf(path)) as { readonly idle_since: string }
    expect(since).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/)
    expect(Date.parse(since)).toBeGreaterThanOrEqual(beforeMs - 1)
    expect(Date.parse(since)).toBeLessThan(Date.now() - 900)
  })

  test('messages of quorum queues tell how often they were delivered before', async () => {
    await call('PUT', '/queues/%2F/counted', { durable: true, arguments: { 'x-queue-type': 'quorum' } })
    await call('POST', '/exchanges/%2F/amq.default/publish', message('counted', 'a'))
    const get = { count: 1, ackmode: 'reject_requeue_true', encoding: 'auto' }
    const took = async (): Promise<unknown> => (await call('POST', '/queues/%2F/counted/get', get)).body
    const properties = { headers: { 'x-acquired-count': 1, 'x-delivery-count': 1 } }
    expect(await took()).toMatchObject([{ redelivered: false, properties: {} }])
    expect(await took()).toMatchObject([{ redelivered: true, properties }])
  })

  test('virtual hosts with limits, policies and parameters', async () => {
    expect(await statusOf('PUT', '/vhosts/prod', { description: 'x', tags: 'a,b', default_queue_type: 'quorum' })).toBe(201)
    expect(await bodyOf('/vhosts/prod')).toMatchObject({ name: 'prod', tags: ['a', 'b'], default_queue_type: 'quorum' })
    expect(await statusOf('PUT', '/vhost-limits/prod/max-queues', { value: 1 })).toBe(204)
    expect(await bodyOf('/vhost-limits')).toEqual([{ vhost: 'prod', value: { 'max-queues': 1 } }])
    const limits = { vhost: 'prod', component: 'vhost-limits', name: 'limits', value: { 'max-queues': 1 } }
    for (const path of ['/parameters', '/parameters/vhost-limits', '/parameters/vhost-limits/prod'])
      expect(await bodyOf(path)).toEqual([limits])
    const path = '/parameters/vhost-limits/prod/limits'
    expect(await bodyOf(path)).toEqual(limits)
    expect(await statusOf('PUT', path, { value: { 'max-queues': 1, 'max-connections': 2 } })).toBe(204)
    expect(await bodyOf('/vhost-limits/prod')).toEqual([{ vhost: 'prod', value: { 'max-queues': 1, 'max-connections': 2 } }])
    expect(await statusOf('PUT', path, { value: { 'max-messages': 1 } })).toBe(400)
    expect(await statusOf('PUT', path.replace(/limits$/, 'other'), { value: {} })).toBe(400)
    expect(await statusOf('DELETE', path)).toBe(204)
    expect(await bodyOf('/parameters')).toEqual([])
    expect(await statusOf('GET', path)).toBe(404)
    expect(await statusOf('PUT', path, { value: { 'max-queues': 1 } })).toBe(201)
    expect(await statusOf('PUT', '/queues/prod/q', {})).toBe(201)
    expect(await statusOf('PUT', '/queues/prod/r', {})).toBe(400)

    const policy = { pattern: '^q$', definition: { 'message-ttl': 1000 }, priority: 1, 'apply-to': 'queues' }
    expect(await statusOf('PUT', '/policies/prod/ttl', policy)).toBe(201)
    expect(await bodyOf('/policies')).toEqual([{ vhost: 'prod', name: 'ttl', ...policy }])
    expect(await bodyOf('/queues/prod/q')).toMatchObject({ policy: 'ttl', effective_policy_definition: { 'message-ttl': 1000 } })
    expect(server.broker.queue('prod::q').delivery.ttlMs).toBe(1000)
    expect(await statusOf('PUT', '/operator-policies/prod/cap', { pattern: '', definition: { 'max-length': 5 } })).toBe(201)
    expect(await bodyOf('/queues/prod/q')).toMatchObject({ operator_policy: 'cap' })
    expect(await statusOf('DELETE', '/policies/prod/ttl')).toBe(204)
    expect(server.broker.queue('prod::q').delivery.ttlMs).toBeUndefined()
    expect(await statusOf('PUT', '/policies/prod/bad', { pattern: '(', definition: { 'max-length': 5 } })).toBe(400)

    expect(await statusOf('PUT', '/parameters/shovel/prod/s', { value: { a: 1 } })).toBe(201)
    expect(await bodyOf('/parameters/shovel/prod')).toEqual([{ vhost: 'prod', component: 'shovel', name: 's', value: { a: 1 } }])
    expect(await statusOf('PUT', '/global-parameters/g', { value: 'x' })).toBe(201)
    expect(await bodyOf('/global-parameters')).toEqual([{ name: 'g', value: 'x' }])
    expect(await statusOf('DELETE', '/vhosts/prod')).toBe(204)
    expect(await bodyOf('/policies')).toEqual([])
    expect(await statusOf('DELETE', '/vhosts/%2F')).toBe(400)
  })

  test('definitions go out and come in again', async () => {
    await call('PUT', '/vhosts/prod', {})
    await call('PUT', '/queues/prod/q', {})
    const definitions = (await call('GET', '/definitions')).body as object
    expect(definitions).toMatchObject({ queues: [{ vhost: 'prod', name: 'q' }] })
    await call('DELETE', '/vhosts/prod')
    expect(await statusOf('POST', '/definitions', definitions)).toBe(204)
    expect(server.broker.queue('prod::q').durable).toBe(true)
    expect(await bodyOf('/definitions/prod')).toMatchObject({ queues: [{ name: 'q' }] })
    expect(await statusOf('POST', '/definitions', { queues: [{ vhost: 'none', name: 'q' }] })).toBe(404)
  })

  test('lists are paged, sorted, searched, and shown in columns', async () => {
    for (const name of ['b1', 'a2', 'a1']) await call('PUT', `/queues/%2F/${name}`, {})
    expect(await bodyOf('/queues?sort=name&sort_reverse=true&columns=name')).toEqual([
      { name: 'b1' },
      { name: 'a2' },
      { name: 'a1' },
    ])
    expect(await bodyOf('/queues?page=2&page_size=1&name=^A&use_regex=true&columns=name&sort=name')).toEqual({
      filtered_count: 2,
      item_count: 1,
      items: [{ name: 'a2' }],
      page: 2,
      page_count: 2,
      page_size: 1,
      total_count: 3,
    })
    expect(await call('GET', '/queues?page=9')).toMatchObject({ status: 400, body: { error: 'page_out_of_range' } })
    expect(await statusOf('GET', '/queues?page=x')).toBe(400)
  })

  test('health checks tell what is well', async () => {
    for (const check of ['alarms', 'local-alarms', 'ready-to-serve-clients', 'virtual-hosts', 'node-is-quorum-critical'])
      expect(await bodyOf(`/health/checks/${check}`)).toMatchObject({ status: 'ok' })
    const port = Number(server.listeners['amqp']!.split(':').at(-1))
    expect(await bodyOf(`/health/checks/port-listener/${port}`)).toEqual({ status: 'ok', port })
    expect(await call('GET', '/health/checks/port-listener/1')).toMatchObject({
      status: 503,
      body: { status: 'failed', missing: 1 },
    })
    expect(await bodyOf('/health/checks/protocol-listener/amqp')).toMatchObject({ status: 'ok' })
    expect(await statusOf('GET', '/health/checks/protocol-listener/mqtt')).toBe(503)
    expect(await bodyOf('/health/checks/certificate-expiration/1/months')).toEqual({ status: 'ok' })
    expect(await statusOf('GET', '/health/checks/certificate-expiration/1/moons')).toBe(400)
  })
})

describe('with users', () => {
  beforeEach(async () => {
    server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'], tags: ['administrator'] })
    const here = { vhost: '/', configure: '^own', write: '^own', read: '^own' }
    server.security.users.create({ name: 'ann', password: 'a', tags: ['management'], permissions: [here] })
    server.security.users.create({ name: 'pol', password: 'p', tags: ['policymaker'], permissions: [here] })
    server.security.users.create({ name: 'bob', password: 'b', permissions: [here] })
  })

  test('who is none, and who has no tag, does not get in', async () => {
    expect(await call('GET', '/whoami')).toMatchObject({ status: 401, body: { error: 'not_authorized' } })
    expect(await statusOf('GET', '/queues', undefined, 'bob:b')).toBe(401)
    expect(await bodyOf('/whoami', 'ann:a')).toEqual({ name: 'ann', tags: ['management'] })
  })

  test('no path is for those who have no tag', async () => {
    const refused = await Promise.all(
      managementRoutes.map(async ({ method, path }) => {
        const filled = path.replaceAll(/\{\w+\}/g, 'x').replace(/^\/api/, '')
        return [path, await statusOf(method.toUpperCase(), filled, method === 'get' ? undefined : {}, 'bob:b')] as const
      }),
    )
    expect(refused.filter(([, status]) => status !== 401)).toEqual([])
    expect(refused.length).toBeGreaterThan(90)
  })

  test('permissions say what may be changed', async () => {
    expect(await statusOf('PUT', '/queues/%2F/own', {}, 'ann:a')).toBe(201)
    expect(await statusOf('PUT', '/queues/%2F/other', {}, 'ann:a')).toBe(401)
    expect(await statusOf('PUT', '/vhosts/x', {}, 'ann:a')).toBe(401)
    expect(await statusOf('GET', '/users', undefined, 'ann:a')).toBe(401)
    expect(await statusOf('GET', '/definitions', undefined, 'ann:a')).toBe(401)
    const policy = { pattern: '', definition: { 'max-length': 5 } }
    expect(await statusOf('PUT', '/policies/%2F/p', policy, 'ann:a')).toBe(401)
    expect(await statusOf('PUT', '/policies/%2F/p', policy, 'pol:p')).toBe(201)
    expect(await statusOf('PUT', '/operator-policies/%2F/p', policy, 'pol:p')).toBe(401)
    expect(await statusOf('PUT', '/vhosts/x', {}, 'root:toor')).toBe(201)
    expect(await bodyOf('/vhosts?columns=name', 'ann:a')).toEqual([{ name: '/' }])
    expect(await statusOf('GET', '/queues/x', undefined, 'ann:a')).toBe(401)
  })

  test('users and their permissions are administered', async () => {
    const root = 'root:toor'
    expect(await statusOf('PUT', '/users/eve', { password: 'e', tags: 'monitoring' }, root)).toBe(201)
    expect(await statusOf('PUT', '/users/eve', { tags: ['monitoring', 'x'] }, root)).toBe(204)
    expect(await statusOf('PUT', '/users/eve', { password: 'e' }, root)).toBe(400)
    expect(await bodyOf('/users/eve', root)).toMatchObject({ name: 'eve', tags: ['monitoring', 'x'], limits: {} })
    expect(await bodyOf('/users/without-permissions?columns=name&sort=name', root)).toEqual([{ name: 'eve' }, { name: 'root' }])
    const permission = { configure: '', write: '.*', read: '.*' }
    expect(await statusOf('PUT', '/permissions/%2F/eve', permission, root)).toBe(201)
    expect(await bodyOf('/users/eve/permissions', root)).toEqual([{ user: 'eve', vhost: '/', ...permission }])
    expect(await bodyOf('/permissions/%2F/eve', root)).toEqual({ user: 'eve', vhost: '/', ...permission })
    const topics = { exchange: 'amq.topic', write: '^a', read: '' }
    expect(await statusOf('PUT', '/topic-permissions/%2F/eve', topics, root)).toBe(201)
    expect(await bodyOf('/topic-permissions', root)).toEqual([{ user: 'eve', vhost: '/', ...topics }])
    expect(await statusOf('PUT', '/user-limits/eve/max-connections', { value: 2 }, root)).toBe(204)
    expect(await bodyOf('/user-limits/eve', root)).toEqual([{ user: 'eve', value: { 'max-connections': 2 } }])
    expect(await statusOf('DELETE', '/permissions/%2F/eve', undefined, root)).toBe(204)
    expect(await statusOf('GET', '/permissions/%2F/eve', undefined, root)).toBe(404)
    expect(await statusOf('POST', '/users/bulk-delete', { users: ['eve'] }, root)).toBe(204)
    expect(await statusOf('GET', '/users/eve', undefined, root)).toBe(404)
  })
})

function message(routingKey: string, payload: string): object {
  return { properties: {}, routing_key: routingKey, payload, payload_encoding: 'string' }
}
