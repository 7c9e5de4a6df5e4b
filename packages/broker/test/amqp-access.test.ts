import { describe, expect, test } from 'vitest'
import { MillraceError } from '../src/base/errors.ts'
import { methodTable, type MethodName } from '../src/protocols/amqp/codec/methods.ts'
import { AmqpBroker, type AmqpPeer } from './amqp/amqp-peer.ts'

/** Who may do nothing does nothing: every method of AMQP is listed here, and those that touch something are refused. */

const declared = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
const bound = { routingKey: 'k', noWait: false, arguments: {} }
const consumption = { consumerTag: 't', noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} }

const refused: readonly (readonly [MethodName, object])[] = [
  ['exchange.declare', { ...declared, exchange: 'new', type: 'direct', internal: false }],
  ['exchange.delete', { exchange: 'x', ifUnused: false, noWait: false }],
  ['exchange.bind', { ...bound, destination: 'x', source: 'y' }],
  ['exchange.unbind', { ...bound, destination: 'x', source: 'y' }],
  ['queue.declare', { ...declared, queue: 'new' }],
  ['queue.bind', { ...bound, queue: 'q', exchange: 'x' }],
  ['queue.unbind', { queue: 'q', exchange: 'x', routingKey: 'k', arguments: {} }],
  ['queue.purge', { queue: 'q', noWait: false }],
  ['queue.delete', { queue: 'q', ifUnused: false, ifEmpty: false, noWait: false }],
  ['basic.consume', { ...consumption, queue: 'q' }],
  ['basic.consume', { ...consumption, queue: 'stream' }],
  ['basic.get', { queue: 'q', noAck: true }],
]

/** By exchange and routing key. */
const refusedPublishes: readonly (readonly [string, string])[] = [
  ['x', 'k'],
  ['', 'q'],
  ['', 'stream'],
  ['', 'nowhere'],
]

/** What says and changes nothing of what is on the broker. */
const open: readonly MethodName[] = [
  'connection.start-ok',
  'connection.secure-ok',
  'connection.tune-ok',
  'connection.open',
  'connection.close',
  'connection.close-ok',
  'connection.update-secret',
  'channel.open',
  'channel.flow',
  'channel.flow-ok',
  'channel.close',
  'channel.close-ok',
  'access.request',
  'basic.qos',
  'basic.cancel',
  'basic.ack',
  'basic.reject',
  'basic.nack',
  'basic.recover',
  'basic.recover-async',
  'confirm.select',
  'tx.select',
  'tx.commit',
  'tx.rollback',
]

/** What only the broker says. */
const ofBroker: readonly MethodName[] = [
  'connection.start',
  'connection.secure',
  'connection.tune',
  'connection.open-ok',
  'connection.blocked',
  'connection.unblocked',
  'connection.update-secret-ok',
  'channel.open-ok',
  'basic.return',
  'basic.deliver',
  'basic.get-ok',
  'basic.get-empty',
]

async function powerless(): Promise<AmqpPeer> {
  const broker = await AmqpBroker.open({
    authorize(_, action, resource) {
      if (action !== 'connect') throw new MillraceError('forbidden', `no ${action} ${resource}`)
    },
  })
  broker.core.broker.createQueue({ name: 'q' })
  broker.core.broker.createTopic({ name: 'stream' })
  for (const name of ['x', 'y']) broker.core.broker.router.createExchange({ name, type: 'topic' })
  await broker.core.settle()
  return broker.opened()
}

test.each(['create', 'publish', 'consume'])('who may only %s may ask whether it is there', async (allowed) => {
  const broker = await AmqpBroker.open({
    authorize(_, action) {
      if (action !== 'connect' && action !== allowed && !(allowed === 'consume' && action === 'read')) {
        throw new MillraceError('forbidden', `no ${action}`)
      }
    },
  })
  broker.core.broker.createQueue({ name: 'q' })
  broker.core.broker.router.createExchange({ name: 'x', type: 'topic' })
  const peer = await broker.opened()
  const { queue } = await peer.call(1, 'queue.declare', { ...declared, passive: true, queue: 'q' })
  expect(queue).toBe('q')
  await peer.call(1, 'exchange.declare', { ...declared, passive: true, exchange: 'x', type: 'topic', internal: false })
})

test('every method is listed', () => {
  const answers = Object.keys(methodTable).filter((name) => name.endsWith('-ok') && !name.startsWith('connection'))
  const listed = new Set<string>([...refused.map(([name]) => name), ...open, ...ofBroker, ...answers, 'basic.publish'])
  expect([...listed].toSorted()).toEqual(Object.keys(methodTable).toSorted())
})

describe('who may do nothing', () => {
  test.each(refused)('is refused by %s', async (method, args) => {
    const peer = await powerless()
    if (method === 'basic.consume') await peer.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 1, global: false })
    peer.send(1, method, args)
    await peer.settle()
    expect(peer.take('channel.close')).toMatchObject({ replyCode: 403 })
  })

  test.each<[MethodName, object]>([
    ['queue.declare', { ...declared, passive: true, queue: 'q' }],
    ['queue.declare', { ...declared, passive: true, queue: 'stream' }],
    ['queue.declare', { ...declared, passive: true, queue: 'none' }],
    ['exchange.declare', { ...declared, passive: true, exchange: 'x', type: 'topic', internal: false }],
    ['exchange.declare', { ...declared, passive: true, exchange: 'none', type: 'topic', internal: false }],
  ])('does not learn by a passive %s whether %j is there', async (method, args) => {
    const peer = await powerless()
    peer.send(1, method, args)
    await peer.settle()
    const { replyCode, replyText } = peer.take('channel.close')
    expect(replyCode).toBe(403)
    expect(replyText).toMatch(
      /^ACCESS_REFUSED - configure access to (queue|exchange) '\w+' in vhost '\/' refused for user 'guest'$/,
    )
  })

  test.each(refusedPublishes)('publishes nothing to the exchange "%s" with the key %s', async (exchange, key) => {
    const peer = await powerless()
    peer.publish(1, exchange, key, 'a')
    await peer.settle()
    expect(peer.take('channel.close')).toMatchObject({ replyCode: 403, classId: 60, methodId: 40 })
  })

  test('and who may not even connect is told so at once', async () => {
    const broker = await AmqpBroker.open({
      authorize: () => {
        throw new MillraceError('forbidden', 'no')
      },
    })
    const peer = broker.connect()
    await expect(peer.open()).rejects.toThrow(/access to vhost '\/' refused for user 'guest'/)
  })
})
