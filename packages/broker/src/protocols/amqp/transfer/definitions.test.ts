import { beforeEach, describe, expect, it } from 'vitest'
import { codeOf, TestAdministration } from '../../../../test/amqp/test-administration.ts'
import { labelsOf } from '../definitions/labels.ts'
import { exportDefinitions, exportVhost } from './export-definitions.ts'
import { importDefinitions } from './import-definitions.ts'

/** As RabbitMQ writes it. The password of `guest` is `test12`. */
const exported = {
  rabbit_version: '4.0.5',
  users: [
    {
      name: 'guest',
      password_hash: 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR',
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: ['administrator'],
      limits: { 'max-connections': 5 },
    },
  ],
  vhosts: [
    { name: '/', metadata: { description: 'Default virtual host', tags: [] } },
    { name: 'prod', description: 'real', tags: ['t'], default_queue_type: 'quorum', metadata: {} },
  ],
  permissions: [{ user: 'guest', vhost: 'prod', configure: '.*', write: '.*', read: '' }],
  topic_permissions: [{ user: 'guest', vhost: 'prod', exchange: 'amq.topic', write: '^a', read: '' }],
  parameters: [
    { vhost: 'prod', component: 'vhost-limits', name: 'limits', value: { 'max-queues': 10, 'max-connections': -1 } },
    { vhost: '/', component: 'shovel', name: 's', value: { uri: 'amqp://' } },
    {
      vhost: 'prod',
      component: 'operator_policy',
      name: 'op',
      value: { pattern: '.*', 'apply-to': 'queues', priority: 0, definition: { 'max-length': 5 } },
    },
  ],
  global_parameters: [{ name: 'cluster_name', value: 'old' }],
  policies: [{ vhost: 'prod', name: 'ttl', pattern: '^q', 'apply-to': 'queues', priority: 1, definition: { 'message-ttl': 99 } }],
  queues: [
    { name: 'q', vhost: 'prod', durable: true, auto_delete: false, arguments: {} },
    { name: 'jobs/1', vhost: '/', durable: true, auto_delete: false, arguments: { 'x-max-priority': 3 } },
    { name: 'log', vhost: '/', durable: true, auto_delete: false, arguments: { 'x-queue-type': 'stream' } },
  ],
  exchanges: [
    { name: 'in', vhost: 'prod', type: 'topic', durable: true, auto_delete: false, internal: false, arguments: {} },
    {
      name: 'h/x',
      vhost: 'prod',
      type: 'headers',
      durable: true,
      auto_delete: false,
      internal: true,
      arguments: { 'alternate-exchange': 'in' },
    },
  ],
  bindings: [
    { source: 'in', vhost: 'prod', destination: 'q', destination_type: 'queue', routing_key: 'a.#', arguments: {} },
    { source: 'in', vhost: 'prod', destination: 'h/x', destination_type: 'exchange', routing_key: '', arguments: {} },
    {
      source: 'h/x',
      vhost: 'prod',
      destination: 'q',
      destination_type: 'queue',
      routing_key: '',
      arguments: { 'x-match': 'any', colour: 'red' },
    },
    { source: '', vhost: 'prod', destination: 'q', destination_type: 'queue', routing_key: 'q', arguments: {} },
  ],
}

let world: TestAdministration
beforeEach(async () => {
  world = await TestAdministration.open()
})

describe('definitions of RabbitMQ', () => {
  it('make what they say', () => {
    importDefinitions(world.administration, exported)
    const { broker } = world.test
    expect(broker.queue('prod::q')).toMatchObject({ delivery: { ttlMs: 99, maxAttempts: 21 }, limits: { messages: 5 } })
    expect(broker.queue('jobs/1').priorities).toBe(4)
    expect(broker.topic('log').partitions).toBe(1)
    expect(broker.router.exchange('prod::h/x')).toMatchObject({ type: 'headers', internal: true, alternate: 'prod::in' })
    expect(broker.router.bindings({ source: 'prod::h/x' })).toMatchObject([
      { destination: 'queue:prod::q', match: { mode: 'any', headers: { colour: 'red' } } },
    ])
    expect(broker.router.bindings({ source: 'prod::in' })).toHaveLength(2)
    expect(world.administration.vhosts.get('prod')).toMatchObject({ description: 'real', limits: { maxQueues: 10 } })
    expect(world.administration.vhosts.get('prod').limits).toEqual({ maxQueues: 10 })
    expect(world.administration.parameters.getGlobal('cluster_name').value).toBe('old')
    const peer = { address: '127.0.0.1:5', transport: 'tcp', secure: false } as const
    expect(world.security.login({ user: 'guest', password: 'test12' }, peer)).toBe('guest')
    expect(codeOf(() => world.security.authorize({ user: 'guest', peer }, 'publish', 'exchange:prod::in'))).toBe('ok')
    expect(codeOf(() => world.security.authorize({ user: 'guest', peer }, 'consume', 'queue:prod::q'))).toBe('forbidden')
  })

  it('can be imported again, and come out as they went in', async () => {
    importDefinitions(world.administration, exported)
    const first = exportDefinitions(world.administration)
    importDefinitions(world.administration, exported)
    importDefinitions(world.administration, JSON.parse(JSON.stringify(first)))
    expect(exportDefinitions(world.administration)).toEqual(first)
    await world.test.settle()
    await world.restart()
    expect(exportDefinitions(world.administration)).toEqual(first)

    const elsewhere = await TestAdministration.open()
    importDefinitions(elsewhere.administration, JSON.parse(JSON.stringify(first)))
    expect(exportDefinitions(elsewhere.administration)).toEqual(first)

    expect(first.users).toMatchObject([exported.users[0]])
    expect(first.vhosts).toMatchObject([
      { name: '/', description: 'Default virtual host' },
      { name: 'prod', tags: ['t'] },
    ])
    expect(first.permissions).toEqual(exported.permissions)
    expect(first.topic_permissions).toEqual(exported.topic_permissions)
    expect(first.global_parameters).toEqual(exported.global_parameters)
    expect(first.policies).toEqual(exported.policies)
    expect(first.parameters).toHaveLength(3)
    expect(first.exchanges!.toSorted((a, b) => (a.name < b.name ? 1 : -1))).toEqual(exported.exchanges)
    expect(first.bindings).toEqual(expect.arrayContaining(exported.bindings.slice(0, 3)))
    expect(first.bindings).toHaveLength(3)
    // Of a virtual host with a default type of queues, each queue says its own.
    const [q, ...others] = exported.queues
    const queues = [{ ...q!, arguments: { 'x-queue-type': 'quorum' } }, ...others]
    expect(first.queues).toEqual(expect.arrayContaining(queues))
    expect(first.queues).toHaveLength(3)
  })

  it('that are all there already have a ticket that is committed too', async () => {
    const { administration, test } = world
    await test.platform.until(test.broker.whenCommitted(importDefinitions(administration, exported)))
    await test.settle()
    const ticket = importDefinitions(administration, { queues: exported.queues, exchanges: exported.exchanges })
    await test.platform.until(test.broker.whenCommitted(ticket))
    expect(test.broker.committedTicket).toBe(ticket)
    await test.platform.until(test.broker.whenCommitted(administration.policyApplication.changing(() => {})))
    expect(test.broker.committedTicket).toBe(ticket + 1)
  })

  it('of one virtual host go into any', () => {
    importDefinitions(world.administration, exported)
    const one = exportVhost(world.administration, 'prod')
    expect(one.queues).toEqual([{ name: 'q', durable: true, auto_delete: false, arguments: { 'x-queue-type': 'quorum' } }])
    world.administration.vhosts.put('copy', {})
    importDefinitions(world.administration, JSON.parse(JSON.stringify(one)), 'copy')
    expect(exportVhost(world.administration, 'copy')).toMatchObject({
      queues: one.queues,
      exchanges: one.exchanges,
      bindings: one.bindings,
      policies: one.policies,
      parameters: one.parameters,
    })
    expect(codeOf(() => importDefinitions(world.administration, one, 'missing'))).toBe('not_found')
    expect(codeOf(() => exportVhost(world.administration, 'missing'))).toBe('not_found')
  })

  it.each<[unknown, RegExp]>([
    ['text', /JSON object/],
    [{ queues: {} }, /queues must be a list/],
    [{ queues: [{ name: 'ok' }, { name: 5 }] }, /queues\[1\] must have name, as text/],
    [{ exchanges: [{ name: 'x', type: 'direct', durable: 'yes' }] }, /durable of exchanges\[0\] must be flag/],
    [{ exchanges: [{ name: 'x', type: 'odd' }] }, /exchanges\[0\] \("x"\): .*odd/],
    [{ queues: [{ name: 'q', vhost: 'nowhere' }] }, /queues\[0\] \("q"\): There is no virtual host "nowhere"/],
    [{ queues: [{ name: 'q', arguments: { 'x-message-ttl': 'soon' } }] }, /queues\[0\] \("q"\): .*x-message-ttl/],
    [{ policies: [{ name: 'p', pattern: '(', definition: { expires: 1 } }] }, /policies\[0\] \("p"\): .*has no \)/],
    [{ permissions: [{ user: 'x', vhost: '/', configure: '', write: '', read: '' }] }, /permissions\[0\]: there is no user "x"/],
    [{ bindings: [{ source: 'none', destination: 'q', destination_type: 'queue' }] }, /bindings\[0\]: .*none/],
    [
      { users: [{ name: 'old', password_hash: 'x', hashing_algorithm: 'rabbit_password_hashing_md5' }] },
      /users\[0\] \("old"\): .*md5/,
    ],
  ])('%j are refused, and the entry is named', (json, why) => {
    expect(() => importDefinitions(world.administration, json)).toThrow(why)
  })

  it.each<[string, RegExp, object]>([
    ['a policy is', /policies\[0\] \("p"\)/, { policies: [{ name: 'p', pattern: '(', definition: { expires: 1 } }] }],
    [
      'a parameter is',
      /parameters\[3\] \("n"\)/,
      { parameters: [...exported.parameters, { component: '', name: 'n', value: 1 }] },
    ],
    // Of queues that are there the core refuses it.
    [
      'a queue takes',
      /message-ttl/,
      { policies: [{ name: 'p', vhost: 'prod', pattern: '^q', definition: { 'message-ttl': -1 } }] },
    ],
  ])('of which %s refused change no parameter, limit and policy, and what was made before stays', (_, why, wrong) => {
    const { administration } = world
    const first = { global_parameters: [{ name: 'cluster_name', value: 'first' }], vhosts: exported.vhosts }
    importDefinitions(administration, { ...first, queues: exported.queues })
    administration.vhosts.setLimits('prod', { maxQueues: 3 })
    const before = exportDefinitions(administration)
    const { users, vhosts, parameters, global_parameters, policies } = exported
    expect(() => importDefinitions(administration, { users, vhosts, parameters, global_parameters, policies, ...wrong })).toThrow(
      why,
    )
    const after = exportDefinitions(administration)
    expect(after.users).toHaveLength(1)
    expect({ ...after, users: [], queues: [] }).toEqual({ ...before, users: [], queues: [] })
    expect(world.test.broker.queue('prod::q').delivery.ttlMs).toBeUndefined()
    expect(after.vhosts).toEqual(before.vhosts)
  })

  it('that differ from what is there are refused', () => {
    const queue = { name: 'q', durable: true, auto_delete: false, arguments: { 'x-max-priority': 3 } }
    importDefinitions(world.administration, { queues: [queue] })
    expect(() => importDefinitions(world.administration, { queues: [{ ...queue, arguments: {} }] })).toThrow(
      /queues\[0\] \("q"\): .*inequivalent arg 'x-max-priority'/,
    )
  })

  it('that differ from a queue of another door are refused too', () => {
    world.test.broker.createQueue({ name: 'native', delivery: { ttlMs: 60_000 } })
    const queue = { name: 'native', durable: true, auto_delete: false }
    const importing = (ttlMs: number) => (): unknown =>
      importDefinitions(world.administration, { queues: [{ ...queue, arguments: { 'x-message-ttl': ttlMs } }] })
    expect(importing(60_000)).not.toThrow()
    expect(importing(5000)).toThrow(/queues\[0\] \("native"\)/)
  })

  it('cannot take a queue that belongs to a connection', () => {
    const { broker } = world.test
    const own = { type: 'classic', durable: false, exclusive: true, autoDelete: false, arguments: {} } as const
    broker.createQueue({ name: 'own', durable: false, labels: labelsOf(own) })
    const queues = [{ name: 'own', durable: false, auto_delete: false, arguments: {} }]
    expect(() => importDefinitions(world.administration, { queues })).toThrow(/exclusive access to locked queue 'own'/)
  })
})
