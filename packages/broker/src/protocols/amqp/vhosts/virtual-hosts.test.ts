import { beforeEach, describe, expect, it } from 'vitest'
import { codeOf, TestAdministration, testConnection } from '../../../../test/amqp/test-administration.ts'
import type { AmqpChannel } from '../directory.ts'

let world: TestAdministration

beforeEach(async () => {
  world = await TestAdministration.open()
})

const exchangeNames = (): string[] =>
  world.test.broker.router
    .exchanges()
    .map(({ name }) => name)
    .toSorted()
const prebuilt = ['amq.direct', 'amq.fanout', 'amq.headers', 'amq.match', 'amq.rabbitmq.trace', 'amq.topic']

describe('virtual hosts', () => {
  it('begin with the default one and its exchanges', () => {
    const { vhosts } = world.administration
    expect(vhosts.list()).toEqual([{ name: '/' }])
    expect([vhosts.has('/'), vhosts.has('prod')]).toEqual([true, false])
    expect(exchangeNames()).toEqual(prebuilt)
    expect(world.test.broker.router.exchange('amq.rabbitmq.trace').internal).toBe(true)
  })

  it('are created with exchanges of their own, described, and there after a restart', async () => {
    const { vhosts } = world.administration
    vhosts.put('prod', { description: 'real', tags: ['a'], defaultQueueType: 'quorum' })
    vhosts.put('prod', { tags: ['b'] })
    expect(exchangeNames()).toEqual([...prebuilt, ...prebuilt.map((name) => `prod::${name}`)].toSorted())
    await world.restart()
    expect(world.administration.vhosts.get('prod')).toEqual({
      name: 'prod',
      description: 'real',
      tags: ['b'],
      defaultQueueType: 'quorum',
    })
    expect(exchangeNames()).toHaveLength(12)
  })

  it('are deleted with all that is in them, and nothing else', async () => {
    const { vhosts, policies, parameters, directory } = world.administration
    const { broker } = world.test
    const reasons: string[] = []
    world.security.users.create({ name: 'root', password: 'x', rules: ['allow all **'] })
    world.security.users.create({ name: 'ann' })
    for (const vhost of ['prod', 'prod2']) {
      vhosts.put(vhost, {})
      broker.createQueue({ name: `${vhost}::q` })
      broker.createTopic({ name: `t-${vhost}` })
      broker.router.bind({ source: `${vhost}::amq.topic`, destination: `queue:${vhost}::q`, key: 'a' })
      policies.put('policy', { vhost, name: 'p', pattern: '', applyTo: 'all', priority: 0, definition: { expires: 1000 } })
      parameters.put({ vhost, component: 'shovel', name: 's', value: 1 })
      world.security.users.permit('ann', { vhost, configure: '', write: '', read: '' })
      directory.register(testConnection({ vhost }, (reason) => reasons.push(reason)))
    }
    vhosts.delete('prod')
    await world.test.settle()
    expect(vhosts.has('prod')).toBe(false)
    expect(broker.queues().map(({ name }) => name)).toEqual(['prod2::q'])
    expect(exchangeNames().some((name) => name.startsWith('prod::'))).toBe(false)
    expect(broker.router.bindings().map(({ source }) => source)).toEqual(['prod2::amq.topic'])
    expect(policies.list('policy').map(({ vhost }) => vhost)).toEqual(['prod2'])
    expect(parameters.list().map(({ vhost }) => vhost)).toEqual(['prod2'])
    expect(world.security.users.get('ann').permissions.map(({ vhost }) => vhost)).toEqual(['prod2'])
    expect(reasons).toEqual(["vhost 'prod' is gone"])
  })

  it('refuse what cannot be', () => {
    const { vhosts } = world.administration
    expect(codeOf(() => vhosts.put('a::b', {}))).toBe('bad_request')
    expect(codeOf(() => vhosts.put('a', { defaultQueueType: 'other' as 'classic' }))).toBe('bad_request')
    expect(codeOf(() => vhosts.get('a'))).toBe('not_found')
    expect(codeOf(() => vhosts.delete('a'))).toBe('not_found')
    expect(codeOf(() => vhosts.delete('/'))).toBe('in_use')
    expect(codeOf(() => vhosts.setLimits('a', {}))).toBe('not_found')
  })

  it('limit their connections and queues', () => {
    const { vhosts, directory } = world.administration
    vhosts.put('prod', {})
    vhosts.setLimits('prod', { maxConnections: 1, maxQueues: 1 })
    vhosts.checkConnection('prod')
    vhosts.checkQueues('prod')
    const end = directory.register(testConnection({ vhost: 'prod' }))
    directory.register(testConnection({ vhost: '/' }))
    world.test.broker.createQueue({ name: 'prod::q' })
    expect(codeOf(() => vhosts.checkConnection('prod'))).toBe('limit_reached')
    expect(codeOf(() => vhosts.checkQueues('prod'))).toBe('limit_reached')
    expect(codeOf(() => vhosts.checkQueues('/'))).toBe('ok')
    end()
    vhosts.checkConnection('prod')
    vhosts.setLimits('prod', {})
    vhosts.checkQueues('prod')
  })
})

describe('users', () => {
  it('have limits of their own', () => {
    const { userLimits, directory } = world.administration
    const { users } = world.security
    users.create({ name: 'root', password: 'x', rules: ['allow all **'] })
    users.create({ name: 'ann', limits: { maxConnections: 2, maxChannels: 3 } })
    const channel = {} as AmqpChannel
    directory.register(testConnection({ channels: () => [channel, channel] }))
    userLimits.checkConnection('ann')
    userLimits.checkChannel('ann')
    directory.register(testConnection({ vhost: 'prod', channels: () => [channel] }))
    expect(codeOf(() => userLimits.checkConnection('ann'))).toBe('limit_reached')
    expect(codeOf(() => userLimits.checkChannel('ann'))).toBe('limit_reached')
    expect(codeOf(() => userLimits.checkConnection('root'))).toBe('ok')
    expect(codeOf(() => userLimits.checkChannel('nobody'))).toBe('ok')
  })
})
