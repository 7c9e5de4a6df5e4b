import { beforeEach, describe, expect, it } from 'vitest'
import { codeOf, TestAdministration } from '../../../../test/amqp/test-administration.ts'
import type { ArgumentsJson } from '../definitions/arguments.ts'
import { effectiveArguments, effectiveDefinition } from './effective-arguments.ts'
import type { Policy } from './policy.ts'

const policy = (name: string, definition: ArgumentsJson, more: Partial<Policy> = {}): Policy => ({
  vhost: '/',
  name,
  pattern: '.*',
  applyTo: 'all',
  priority: 0,
  definition,
  ...more,
})

describe('what counts', () => {
  const user = policy('u', {
    'message-ttl': 1000,
    'max-length': 10,
    overflow: 'reject-publish',
    'dead-letter-exchange': 'dlx',
    'ha-mode': 'all',
  })
  const operator = policy('o', { 'message-ttl': 500, 'max-length': 20, expires: 60_000, overflow: 'drop-head' })

  it('is what was declared where no policy matches', () => {
    const declared = { 'x-message-ttl': 5, 'x-own': true }
    expect(effectiveArguments(declared, undefined, undefined)).toEqual(declared)
  })

  it('is what a client declared before what a policy says', () => {
    expect(effectiveArguments({ 'x-message-ttl': 5000, 'x-own': true }, user, undefined)).toEqual({
      'x-message-ttl': 5000,
      'x-own': true,
      'x-max-length': 10,
      'x-overflow': 'reject-publish',
      'x-dead-letter-exchange': 'dlx',
    })
  })

  it('is the lower of two limits where an operator says one, and else what the operator says', () => {
    expect(effectiveArguments({ 'x-message-ttl': 100 }, user, operator)).toMatchObject({
      'x-message-ttl': 100,
      'x-max-length': 10,
      'x-expires': 60_000,
      'x-overflow': 'drop-head',
    })
    expect(effectiveArguments({ 'x-max-length': 50 }, user, operator)).toMatchObject({ 'x-message-ttl': 500, 'x-max-length': 20 })
    expect(effectiveDefinition(user, operator)).toEqual({
      'message-ttl': 500,
      'max-length': 10,
      overflow: 'drop-head',
      'dead-letter-exchange': 'dlx',
      'ha-mode': 'all',
      expires: 60_000,
    })
  })

  it('has a key for dead letters only with an exchange for them', () => {
    const key = policy('k', { 'dead-letter-routing-key': 'dead' })
    expect(effectiveArguments({}, key, undefined)).toEqual({})
    expect(effectiveArguments({ 'x-dead-letter-exchange': '' }, key, undefined)).toEqual({
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': 'dead',
    })
  })
})

describe('policies', () => {
  let world: TestAdministration
  beforeEach(async () => {
    world = await TestAdministration.open()
  })

  const put = (kind: 'policy' | 'operator-policy', each: Policy): void => {
    const { policyApplication, policies } = world.administration
    policyApplication.changing(() => void policies.put(kind, each))
  }
  const nameFor = (target: 'classic' | 'quorum' | 'stream' | 'exchange', name: string): string | undefined =>
    world.administration.policies.current.matching('/', target, name).policy?.name

  it('match by pattern, kind and priority', () => {
    put('policy', policy('low', { expires: 1 }, { pattern: '^a', priority: 1 }))
    put('policy', policy('high', { expires: 2 }, { pattern: '^ab', priority: 5, applyTo: 'queues' }))
    put('policy', policy('also', { expires: 3 }, { pattern: '^ab', priority: 5 }))
    put('policy', policy('quorum', { expires: 4 }, { priority: -1, applyTo: 'quorum_queues' }))
    put('policy', policy('elsewhere', { expires: 5 }, { vhost: 'prod', priority: 100 }))
    expect(nameFor('classic', 'abc')).toBe('also')
    expect(nameFor('exchange', 'abc')).toBe('also')
    expect(nameFor('classic', 'ac')).toBe('low')
    expect(nameFor('quorum', 'x')).toBe('quorum')
    expect(nameFor('stream', 'x')).toBeUndefined()
    expect(world.administration.policies.list('policy', 'prod').map(({ name }) => name)).toEqual(['elsewhere'])
  })

  it('change queues and exchanges that are there, and those declared later', () => {
    const { declarations, policyApplication, policies } = world.administration
    const { broker } = world.test
    const plain = { durable: true, autoDelete: false, arguments: {} }
    declarations.queue('/', 'orders', plain)
    declarations.queue('/', 'orders.own', { ...plain, arguments: { 'x-message-ttl': 7000 } })
    declarations.queue('/', 'log', { ...plain, arguments: { 'x-queue-type': 'stream' } })
    declarations.exchange('/', 'in', { ...plain, type: 'topic', internal: false })
    broker.createQueue({ name: 'native', delivery: { ttlMs: 1 } })
    const consumer = world.test.consume('queue:orders', 0)

    put('policy', policy('p', { 'message-ttl': 5000, 'max-length': 3, expires: 60_000 }))
    expect(broker.queue('orders')).toMatchObject({
      delivery: { ttlMs: 5000 },
      limits: { messages: 3, overflow: 'drop-head' },
      expireMs: 60_000,
      consumers: 1,
    })
    expect(broker.queue('orders.own').delivery.ttlMs).toBe(7000)
    expect(broker.queue('native').delivery.ttlMs).toBe(1)
    put('operator-policy', policy('o', { 'message-ttl': 100 }, { applyTo: 'queues' }))
    expect(['orders', 'orders.own'].map((name) => broker.queue(name).delivery.ttlMs)).toEqual([100, 100])
    declarations.queue('/', 'late', plain)
    expect(broker.queue('late').delivery.ttlMs).toBe(100)

    put('policy', policy('p', { 'alternate-exchange': 'other', 'max-age': '1h' }))
    expect(broker.router.exchange('in').alternate).toBe('other')
    expect(broker.router.exchange('amq.topic').alternate).toBe('other')
    expect(broker.topic('log').retention.ms).toBe(3_600_000)
    expect(broker.queue('orders').limits).toBeUndefined()
    policyApplication.changing(() => {
      policies.remove('policy', '/', 'p')
      policies.remove('operator-policy', '/', 'o')
    })
    expect(broker.router.exchange('in').alternate).toBeUndefined()
    expect(broker.topic('log').retention.ms).toBeUndefined()
    expect(broker.queue('orders')).toMatchObject({ consumers: 1 })
    expect(broker.queue('orders').delivery.ttlMs).toBeUndefined()
    expect(broker.queue('orders').expireMs).toBeUndefined()
    expect(broker.queue('orders.own').delivery.ttlMs).toBe(7000)
    // The same declaration is still the same.
    declarations.queue('/', 'orders', plain)
    consumer.consumer.close()
  })

  it('that something cannot have change nothing, and are not kept', async () => {
    const { declarations } = world.administration
    const plain = { durable: true, autoDelete: false, arguments: {} }
    declarations.queue('/', 'first', { ...plain, arguments: { 'x-message-ttl': 7000 } })
    declarations.queue('/', 'second', plain)
    declarations.queue('/', 'log', { ...plain, arguments: { 'x-queue-type': 'stream' } })
    declarations.exchange('/', 'in', { ...plain, type: 'topic', internal: false })
    put('policy', policy('p', { 'max-length': 7, 'max-age': '1h', 'alternate-exchange': 'one', 'dead-letter-exchange': 'dead' }))
    put('operator-policy', policy('o', { expires: 60_000 }, { applyTo: 'queues' }))
    const shown = (): unknown[] => {
      const { broker } = world.test
      const { policies } = world.administration
      const queues = ['first', 'second'].map((name) => broker.queue(name))
      return [
        queues.map(({ limits, expireMs, delivery }) => ({ limits, expireMs, delivery })),
        [broker.topic('log').retention, broker.router.exchange('in').alternate],
        [policies.list('policy'), policies.list('operator-policy')],
      ]
    }
    const before = shown()
    // Queues and streams can have this, and come first.
    const never = { 'max-length': 3, 'max-age': '2h', 'alternate-exchange': 'x'.repeat(300) }
    expect(codeOf(() => put('policy', policy('p', never)))).toBe('illegal_name')
    expect(shown()).toEqual(before)
    expect(codeOf(() => put('policy', policy('new', never, { priority: 1 })))).toBe('illegal_name')
    expect(shown()).toEqual(before)
    await world.test.settle()
    await world.restart()
    expect(shown()).toEqual(before)
    put('policy', policy('p', { 'max-length': 3 }))
    expect(world.test.broker.queue('first').limits).toMatchObject({ messages: 3 })
  })

  it('are there after a restart, and so is what they did to exchanges that every virtual host has', async () => {
    put('policy', policy('p', { 'alternate-exchange': 'other' }))
    await world.test.settle()
    await world.restart()
    expect(nameFor('exchange', 'x')).toBe('p')
    expect(world.test.broker.router.exchange('amq.fanout').alternate).toBe('other')
  })

  it.each<[string, Partial<Policy>]>([
    ['no pattern', { pattern: '(' }],
    ['nothing', { definition: {} }],
    ['an unknown setting', { definition: { unknown: 1 } }],
    ['a wrong value', { definition: { 'message-ttl': '5' } }],
    ['a wrong choice', { definition: { overflow: 'explode' } }],
    ['a wrong age', { definition: { 'max-age': '5 days' } }],
    ['a wrong kind', { applyTo: 'topics' as 'queues' }],
    ['a wrong priority', { priority: 1.5 }],
    ['no name', { name: '' }],
  ])('that say %s are refused', (_, more) => {
    expect(codeOf(() => put('policy', policy('p', { expires: 1 }, more)))).toBe('bad_request')
    expect(world.administration.policies.list('policy')).toEqual([])
  })

  it('that are not there are not found', () => {
    const { policies } = world.administration
    expect(codeOf(() => policies.remove('policy', '/', 'x'))).toBe('not_found')
    expect(codeOf(() => put('operator-policy', policy('o', { 'alternate-exchange': 'x' })))).toBe('bad_request')
  })
})

describe('parameters', () => {
  it('are kept by virtual host, component and name, or by name alone', async () => {
    const world = await TestAdministration.open()
    const { parameters } = world.administration
    parameters.put({ vhost: '/', component: 'shovel', name: 's', value: { uri: 'x' } })
    parameters.put({ vhost: 'prod', component: 'shovel', name: 's', value: null })
    parameters.put({ vhost: '/', component: 'other', name: 's', value: 1 })
    parameters.putGlobal({ name: 'cluster_name', value: 'here' })
    await world.test.settle()
    await world.restart()
    const after = world.administration.parameters
    expect(after.list({ vhost: '/' }).map(({ component }) => component)).toEqual(['other', 'shovel'])
    expect(after.list({ component: 'shovel' }).map(({ vhost, value }) => [vhost, value])).toEqual([
      ['/', { uri: 'x' }],
      ['prod', null],
    ])
    expect(after.getGlobal('cluster_name').value).toBe('here')
    after.remove('/', 'shovel', 's')
    after.removeGlobal('cluster_name')
    expect(codeOf(() => after.get('/', 'shovel', 's'))).toBe('not_found')
    expect(codeOf(() => after.getGlobal('cluster_name'))).toBe('not_found')
    expect(codeOf(() => after.putGlobal({ name: '', value: 1 }))).toBe('bad_request')
  })
})
