import { describe, expect, test } from 'vitest'
import { AmqpBroker, type AmqpPeer } from '../../../test/amqp/amqp-peer.ts'
import { encodeTable } from './codec/field-table.ts'
import { writeMethod } from './codec/method-codec.ts'
import { limits } from './limits.ts'
import { deliveryLimits } from '../limits.ts'

const declaration = {
  passive: false,
  durable: true,
  exclusive: false,
  autoDelete: false,
  noWait: false,
  arguments: {},
}
const exchange = { ...declaration, type: 'direct', internal: false }
const consumption = { noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} }

async function withQueue(queue = 'q'): Promise<{ broker: AmqpBroker; peer: AmqpPeer }> {
  const broker = await AmqpBroker.open()
  const peer = await broker.opened()
  await peer.call(1, 'queue.declare', { ...declaration, queue })
  return { broker, peer }
}

async function ended(peer: AmqpPeer): Promise<Readonly<Record<string, unknown>>> {
  await peer.settle()
  return peer.take('channel.close')
}

describe('a handshake', () => {
  test('tells what clients look for', async () => {
    const broker = await AmqpBroker.open()
    const peer = broker.connect()
    peer.greet()
    await peer.settle()
    const { serverProperties, mechanisms } = peer.take('connection.start')
    expect(new TextDecoder().decode(mechanisms as Uint8Array)).toBe('PLAIN AMQPLAIN')
    const { names } = (serverProperties as { get(name: string): { names: readonly string[] } }).get('capabilities')
    expect(names).toContain('publisher_confirms')
    expect(names).toContain('consumer_cancel_notify')
  })

  test('in a version that is not spoken is answered with the one that is, and ends', async () => {
    const peer = (await AmqpBroker.open()).connect()
    peer.bytes(Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 9, 9, 9, 9))
    expect(peer.raw).toEqual([Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1)])
    expect(peer.closed).toBe(true)
  })

  test.each([
    [{ channelMax: 4000, frameMax: 131_072, heartbeat: 0 }, 'channel_max = 4000 is higher than the maximum allowed value (2047)'],
    [{ channelMax: 10, frameMax: 131_073, heartbeat: 0 }, 'frame_max = 131073 is higher than the maximum allowed value (131072)'],
    [{ channelMax: 10, frameMax: 4095, heartbeat: 0 }, 'frame_max = 4095 is lower than the minimum allowed value (4096)'],
  ])('that asks for too much is refused: %o', async (tune, text) => {
    const peer = (await AmqpBroker.open()).connect()
    peer.greet()
    await peer.settle()
    await peer.logIn('guest', 'guest')
    peer.takeNames()
    peer.send(0, 'connection.tune-ok', tune)
    await peer.settle()
    expect(peer.take('connection.close')).toMatchObject({
      replyCode: 530,
      replyText: `NOT_ALLOWED - negotiated ${text}`,
      classId: 10,
      methodId: 31,
    })
    expect(peer.closed).toBe(true)
  })

  test('to a virtual host that does not exist is refused', async () => {
    const peer = (await AmqpBroker.open()).connect()
    peer.greet()
    await peer.settle()
    await peer.logIn('guest', 'guest')
    peer.takeNames()
    peer.send(0, 'connection.tune-ok', { channelMax: 10, frameMax: 131_072, heartbeat: 0 })
    peer.send(0, 'connection.open', { virtualHost: 'nowhere' })
    await peer.settle()
    expect(peer.take('connection.close')).toMatchObject({ replyCode: 530, replyText: 'NOT_ALLOWED - vhost nowhere not found' })
  })

  test('that does not go on ends', async () => {
    const broker = await AmqpBroker.open()
    const peer = broker.connect()
    peer.greet()
    await peer.settle()
    peer.session.tick(broker.core.platform.clock.monotonicMs() + limits.loginDeadlineMs)
    expect(peer.closed).toBe(true)
  })

  test('takes no large frames', async () => {
    const peer = (await AmqpBroker.open()).connect()
    peer.greet()
    await peer.settle()
    peer.takeNames()
    await peer.logIn('guest', 'x'.repeat(10_000))
    expect(peer.take('connection.close')).toMatchObject({ replyCode: 501 })
    expect(peer.closed).toBe(true)
  })
})

describe('publishes', () => {
  test('are confirmed together once they are durable', async () => {
    const { broker, peer } = await withQueue()
    await peer.call(1, 'confirm.select', { noWait: false })
    for (const body of ['a', 'b', 'c']) peer.publish(1, '', 'q', body)
    broker.core.platform.runTurn()
    expect(peer.received).toEqual([])
    await peer.settle()
    expect(peer.take('basic.ack')).toEqual({ deliveryTag: 3, multiple: true })
    expect(broker.core.broker.queue('q').ready).toBe(3)
  })

  test('come in any pieces', async () => {
    const { broker, peer } = await withQueue()
    await peer.call(1, 'confirm.select', { noWait: false })
    const bytes = peer.publishBytes(1, '', 'q', 'a body of some length')
    for (const byte of bytes) peer.bytes(Uint8Array.of(byte))
    await peer.settle()
    expect(peer.take('basic.ack')).toEqual({ deliveryTag: 1, multiple: false })
    expect(broker.core.broker.queue('q').ready).toBe(1)
  })

  test('before an error are confirmed before the channel ends', async () => {
    const { peer } = await withQueue()
    await peer.call(1, 'confirm.select', { noWait: false })
    peer.publish(1, '', 'q', 'a')
    peer.publish(1, 'missing', 'q', 'b')
    peer.publish(1, '', 'q', 'c')
    expect(peer.received).toEqual([])
    await peer.settle()
    expect(peer.take('basic.ack')).toEqual({ deliveryTag: 1, multiple: false })
    expect(peer.take('channel.close')).toEqual({
      replyCode: 404,
      replyText: "NOT_FOUND - no exchange 'missing' in vhost '/'",
      classId: 60,
      methodId: 40,
    })
    peer.send(1, 'channel.close-ok', {})
    await peer.call(1, 'channel.open', {})
  })

  test('before the end of the connection are confirmed before it', async () => {
    const { peer } = await withQueue()
    await peer.call(1, 'confirm.select', { noWait: false })
    peer.publish(1, '', 'q', 'a')
    peer.send(0, 'connection.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 })
    await peer.settle()
    expect(peer.takeNames()).toEqual(['basic.ack', 'connection.close-ok'])
    expect(peer.closed).toBe(true)
  })

  test('that nothing takes are returned, if that is asked for, and then confirmed', async () => {
    const { peer } = await withQueue()
    await peer.call(1, 'confirm.select', { noWait: false })
    peer.publish(1, '', 'nowhere', 'lost', { correlationId: '7' }, true)
    peer.publish(1, '', 'nowhere', 'lost')
    await peer.settle()
    expect(peer.take('basic.return')).toEqual({ replyCode: 312, replyText: 'NO_ROUTE', exchange: '', routingKey: 'nowhere' })
    expect(peer.take('header')).toMatchObject({ size: 4 })
    expect(peer.take('body')).toEqual({ text: 'lost' })
    expect(peer.take('basic.ack')).toEqual({ deliveryTag: 2, multiple: true })
  })

  test('that a queue has no room for are refused, and others are not', async () => {
    const { peer } = await withQueue()
    await peer.call(1, 'queue.declare', {
      ...declaration,
      queue: 'small',
      arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
    })
    await peer.call(1, 'confirm.select', { noWait: false })
    for (let n = 0; n < 3; n++) {
      peer.publish(1, '', 'small', String(n))
      await peer.settle()
    }
    peer.publish(1, '', 'q', 'a')
    await peer.settle()
    expect(peer.takeNames()).toEqual(['basic.ack', 'basic.nack', 'basic.nack', 'basic.ack'])
  })

  test('in another name are refused', async () => {
    const { peer } = await withQueue()
    peer.publish(1, '', 'q', 'a', { userId: 'guest' })
    peer.publish(1, '', 'q', 'a', { userId: 'somebody' })
    expect(await ended(peer)).toMatchObject({
      replyCode: 406,
      replyText: "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'",
    })
  })

  test('larger than allowed end the channel', async () => {
    const broker = await AmqpBroker.open({ settings: { messageBytesMax: 10 } })
    const peer = await broker.opened()
    peer.publish(1, '', 'q', 'x'.repeat(11))
    expect(await ended(peer)).toMatchObject({
      replyCode: 406,
      replyText: 'PRECONDITION_FAILED - message size 11 is larger than configured max size 10',
    })
  })
})

describe('deliveries', () => {
  test('come after consume-ok, within the prefetch, and again when the channel ends', async () => {
    const { peer } = await withQueue()
    for (const body of ['a', 'b', 'c']) peer.publish(1, '', 'q', body)
    await peer.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 2, global: false })
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    expect([peer.takeDelivery(), peer.takeDelivery()]).toMatchObject([
      { tag: 1, body: 'a' },
      { tag: 2, body: 'b' },
    ])
    expect(peer.received).toEqual([])
    peer.send(1, 'basic.ack', { deliveryTag: 1, multiple: false })
    await peer.settle()
    expect(peer.takeDelivery()).toEqual({ tag: 3, body: 'c', redelivered: false, routingKey: 'q' })
    await peer.call(1, 'channel.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 })
    await peer.call(1, 'channel.open', {})
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    expect([peer.takeDelivery(), peer.takeDelivery()]).toMatchObject([
      { tag: 1, body: 'b', redelivered: true },
      { tag: 2, body: 'c', redelivered: true },
    ])
  })

  test('of one channel share a limit', async () => {
    const { broker, peer } = await withQueue('a')
    await peer.call(1, 'queue.declare', { ...declaration, queue: 'b' })
    await peer.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 3, global: true })
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'a', consumerTag: 'a' })
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'b', consumerTag: 'b' })
    for (let n = 0; n < 10; n++) for (const queue of ['a', 'b']) peer.publish(1, '', queue, `${n}`)
    await peer.settle()
    const count = (): number => peer.received.filter(({ name }) => name === 'basic.deliver').length
    expect(count()).toBe(3)
    peer.send(1, 'basic.ack', { deliveryTag: 2, multiple: true })
    await peer.settle()
    expect(count()).toBe(5)
    expect(broker.core.broker.queue('a').inFlight + broker.core.broker.queue('b').inFlight).toBe(3)
  })

  test('without acknowledgements are settled once they are written', async () => {
    const { broker, peer } = await withQueue()
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't', noAck: true })
    for (const body of ['a', 'b']) peer.publish(1, '', 'q', body)
    await peer.settle()
    expect([peer.takeDelivery().body, peer.takeDelivery().body]).toEqual(['a', 'b'])
    expect(broker.core.broker.queue('q')).toMatchObject({ ready: 0, inFlight: 0 })
  })

  test('stop while the client wants none', async () => {
    const { peer } = await withQueue()
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    await peer.call(1, 'channel.flow', { active: false })
    peer.publish(1, '', 'q', 'a')
    await peer.settle()
    expect(peer.received).toEqual([])
    await peer.call(1, 'channel.flow', { active: true })
    expect(peer.takeDelivery().body).toBe('a')
  })

  test('stop while the client does not read', async () => {
    const { broker, peer } = await withQueue()
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    peer.backlogBytes = deliveryLimits.backlogBytesHigh
    for (let n = 0; n < 5; n++) peer.publish(1, '', 'q', 'a')
    await peer.settle()
    expect(peer.received).toEqual([])
    expect(broker.core.broker.queue('q')).toMatchObject({ ready: 5, inFlight: 0 })
    peer.backlogBytes = 0
    peer.session.writable()
    await peer.settle()
    expect(peer.received.filter(({ name }) => name === 'basic.deliver')).toHaveLength(5)
  })

  test.each([
    ['rejected', 'basic.reject' as const, { deliveryTag: 1, requeue: false }, 0],
    ['handed back', 'basic.nack' as const, { deliveryTag: 1, multiple: false, requeue: true }, 1],
  ])('are %s', async (_, method, args, again) => {
    const { broker, peer } = await withQueue()
    peer.publish(1, '', 'q', 'a')
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    peer.takeDelivery()
    peer.send(1, method, args)
    await peer.settle()
    expect(peer.received.filter(({ name }) => name === 'basic.deliver')).toHaveLength(again)
    expect(broker.core.broker.queue('q').inFlight).toBe(again)
  })

  test('are all handed back by recover', async () => {
    const { peer } = await withQueue()
    for (const body of ['a', 'b']) peer.publish(1, '', 'q', body)
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    expect([peer.takeDelivery().body, peer.takeDelivery().body]).toEqual(['a', 'b'])
    await peer.call(1, 'basic.recover', { requeue: true })
    expect([peer.takeDelivery(), peer.takeDelivery()]).toMatchObject([
      { tag: 3, body: 'a', redelivered: true },
      { tag: 4, body: 'b', redelivered: true },
    ])
  })

  test('that were made before a cancel may be settled after it', async () => {
    const { broker, peer } = await withQueue()
    peer.publish(1, '', 'q', 'a')
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    peer.takeDelivery()
    await peer.call(1, 'basic.cancel', { consumerTag: 't', noWait: false })
    peer.send(1, 'basic.ack', { deliveryTag: 1, multiple: false })
    await peer.settle()
    expect(peer.received).toEqual([])
    expect(broker.core.broker.queue('q')).toMatchObject({ ready: 0, inFlight: 0, consumers: 0 })
  })

  test('that wait too long end the channel', async () => {
    const broker = await AmqpBroker.open({ settings: { consumerTimeoutMs: 5000 } })
    const peer = await broker.opened()
    await peer.call(1, 'queue.declare', { ...declaration, queue: 'q' })
    peer.publish(1, '', 'q', 'a')
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    peer.takeDelivery()
    await broker.core.platform.advance(7000)
    peer.session.tick(broker.core.platform.clock.monotonicMs())
    const { replyCode, replyText } = await ended(peer)
    expect([replyCode, replyText]).toEqual([406, expect.stringContaining('delivery acknowledgement on channel 1 timed out')])
    expect(broker.core.broker.queue('q').ready).toBe(1)
  })

  test('end when the queue is deleted, and the client is told', async () => {
    const { broker, peer } = await withQueue()
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    broker.core.broker.deleteQueue('q')
    await peer.settle()
    expect(peer.take('basic.cancel')).toEqual({ consumerTag: 't', noWait: true })
  })

  test('that are asked for after a message that nothing takes come at once', async () => {
    const { peer } = await withQueue()
    peer.publish(1, '', 'nowhere', 'a')
    peer.send(1, 'basic.get', { queue: 'q', noAck: true })
    peer.send(1, 'tx.select', {})
    peer.send(1, 'tx.commit', {})
    await peer.settle()
    expect(peer.takeNames()).toEqual(['basic.get-empty', 'tx.select-ok', 'tx.commit-ok'])
  })

  test('of a queue that the client itself deletes end after the answer', async () => {
    const { peer } = await withQueue()
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    peer.takeNames()
    peer.send(1, 'queue.delete', { queue: 'q', ifUnused: false, ifEmpty: false, noWait: false })
    await peer.settle()
    expect(peer.takeNames()).toEqual(['queue.delete-ok', 'basic.cancel'])
  })
})

describe('queue.purge', () => {
  test('drops what its client published before it, and nothing that it published after it', async () => {
    const { broker, peer } = await withQueue()
    for (const body of ['a', 'b']) peer.publish(1, '', 'q', body)
    peer.send(1, 'queue.purge', { queue: 'q', noWait: false })
    peer.publish(1, '', 'q', 'c')
    await peer.settle()
    expect(peer.take('queue.purge-ok')).toEqual({ messageCount: 2 })
    expect(broker.core.broker.queue('q').ready).toBe(1)
    await peer.call(1, 'basic.get', { queue: 'q', noAck: true })
    expect([peer.take('header')['size'], peer.take('body')['text']]).toEqual([1, 'c'])
  })

  test('of a queue that is deleted and made again before it is done leaves the new one alone', async () => {
    const { broker, peer } = await withQueue()
    peer.publish(1, '', 'q', 'a')
    peer.send(1, 'queue.purge', { queue: 'q', noWait: false })
    peer.send(1, 'queue.delete', { queue: 'q', ifUnused: false, ifEmpty: false, noWait: false })
    peer.send(1, 'queue.declare', { ...declaration, queue: 'q' })
    peer.publish(1, '', 'q', 'b')
    await peer.settle()
    expect(peer.take('queue.purge-ok')).toEqual({ messageCount: 0 })
    expect(peer.takeNames()).toEqual(['queue.delete-ok', 'queue.declare-ok'])
    expect(broker.core.broker.queue('q').ready).toBe(1)
  })

  test('is done also when its channel is closed at once', async () => {
    const { broker, peer } = await withQueue()
    peer.publish(1, '', 'q', 'a')
    await peer.settle()
    peer.send(1, 'queue.purge', { queue: 'q', noWait: true })
    peer.send(1, 'channel.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 })
    await peer.settle()
    expect(peer.takeNames()).toEqual(['channel.close-ok'])
    expect(broker.core.broker.queue('q').ready).toBe(0)
  })
})

describe('basic.get', () => {
  test('takes messages one by one, in the order of the requests', async () => {
    const { broker, peer } = await withQueue()
    for (const body of ['a', 'b']) peer.publish(1, '', 'q', body)
    await peer.settle()
    for (let n = 0; n < 3; n++) peer.send(1, 'basic.get', { queue: 'q', noAck: n === 0 })
    peer.send(1, 'queue.declare', { ...declaration, queue: 'q', passive: true })
    await peer.settle()
    expect(peer.take('basic.get-ok')).toMatchObject({ deliveryTag: 1, redelivered: false, routingKey: 'q' })
    expect([peer.take('header')['size'], peer.take('body')['text']]).toEqual([1, 'a'])
    expect(peer.take('basic.get-ok')).toMatchObject({ deliveryTag: 2, messageCount: 0 })
    expect(peer.takeNames()).toEqual(['header', 'body', 'basic.get-empty', 'queue.declare-ok'])
    peer.send(1, 'basic.ack', { deliveryTag: 2, multiple: false })
    await peer.settle()
    expect(broker.core.broker.queue('q')).toMatchObject({ ready: 0, inFlight: 0, consumers: 0 })
  })
})

describe('errors of a channel', () => {
  test.each([
    [
      'a queue that is not there',
      'queue.declare',
      { ...declaration, queue: 'no', passive: true },
      404,
      "no queue 'no' in vhost '/'",
    ],
    [
      'a reserved name',
      'queue.declare',
      { ...declaration, queue: 'amq.x' },
      403,
      "queue name 'amq.x' contains reserved prefix 'amq.*'",
    ],
    [
      'another durability',
      'queue.declare',
      { ...declaration, queue: 'q', durable: false },
      406,
      "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'",
    ],
    [
      'another argument',
      'queue.declare',
      { ...declaration, queue: 'q', arguments: { 'x-message-ttl': 5000 } },
      406,
      "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '5000' of type 'signedint' but current is none",
    ],
    ['no queue before', 'queue.purge', { queue: '', noWait: false }, 404, 'no previously declared queue', 2],
    [
      'the default exchange',
      'exchange.declare',
      { ...exchange, exchange: '' },
      403,
      'operation not permitted on the default exchange',
    ],
    ['an unknown type', 'exchange.declare', { ...exchange, exchange: 'x', type: 'odd' }, 406, "unknown exchange type 'odd'"],
    [
      'another type',
      'exchange.declare',
      { ...exchange, exchange: 'amq.topic' },
      406,
      "inequivalent arg 'type' for exchange 'amq.topic' in vhost '/': received 'direct' but current is 'topic'",
    ],
    ['an unknown delivery', 'basic.ack', { deliveryTag: 9, multiple: false }, 406, 'unknown delivery tag 9'],
    ['a commit without a transaction', 'tx.commit', {}, 406, 'channel is not transactional'],
    [
      'consumption of replies with acknowledgements',
      'basic.consume',
      { ...consumption, queue: 'amq.rabbitmq.reply-to', consumerTag: '' },
      406,
      'reply consumer cannot acknowledge',
    ],
  ] as const)('%s', async (_, method, args, code, text, onChannel?: number) => {
    const { peer } = await withQueue()
    const channel = onChannel ?? 1
    if (channel !== 1) await peer.call(channel, 'channel.open', {})
    peer.send(channel, method, args)
    await peer.settle()
    expect(peer.take('channel.close')).toMatchObject({ replyCode: code, replyText: expect.stringContaining(text) })
    expect(peer.closed).toBe(false)
  })

  test('a queue of another connection', async () => {
    const { broker, peer } = await withQueue()
    await peer.call(1, 'queue.declare', { ...declaration, queue: 'own', exclusive: true })
    const other = await broker.opened()
    other.send(1, 'basic.consume', { ...consumption, queue: 'own', consumerTag: '' })
    expect(await ended(other)).toMatchObject({ replyCode: 405, classId: 60, methodId: 20 })
    await peer.call(0, 'connection.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 }).catch(() => {})
    expect(() => broker.core.broker.queue('own')).toThrow(/own/)
  })

  test('a queue that somebody consumes alone', async () => {
    const { broker, peer } = await withQueue()
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't', exclusive: true })
    const other = await broker.opened()
    other.send(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: '' })
    expect(await ended(other)).toMatchObject({
      replyCode: 403,
      replyText: "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
    })
  })

  test('a queue that somebody consumes alone who came after the first message was asked for', async () => {
    const { broker, peer } = await withQueue()
    const other = await broker.opened()
    other.send(1, 'basic.get', { queue: 'q', noAck: true })
    await other.settle()
    other.take('basic.get-empty')
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't', exclusive: true })
    other.send(1, 'basic.get', { queue: 'q', noAck: true })
    expect(await ended(other)).toMatchObject({ replyCode: 403 })
  })

  test('leave other channels alone', async () => {
    const { peer } = await withQueue()
    await peer.call(2, 'channel.open', {})
    peer.send(2, 'queue.purge', { queue: 'missing', noWait: false })
    await peer.settle()
    expect(peer.take('channel.close')).toMatchObject({ replyCode: 404 })
    expect(await peer.call(1, 'queue.declare', { ...declaration, queue: 'q' })).toMatchObject({ queue: 'q' })
  })

  test('pass over what the client sent before it knew', async () => {
    const { peer } = await withQueue()
    peer.send(1, 'queue.purge', { queue: 'missing', noWait: false })
    await peer.settle()
    peer.publish(1, '', 'q', 'late')
    peer.send(1, 'basic.ack', { deliveryTag: 1, multiple: false })
    peer.send(1, 'channel.close-ok', {})
    peer.send(1, 'basic.ack', { deliveryTag: 1, multiple: false })
    await peer.settle()
    expect(peer.takeNames()).toEqual(['channel.close'])
    expect(peer.closed).toBe(false)
  })
})

describe('a transaction', () => {
  test('publishes and acknowledges all at once, or not at all', async () => {
    const { broker, peer } = await withQueue()
    peer.publish(1, '', 'q', 'work')
    await peer.call(1, 'queue.declare', { ...declaration, queue: 'done' })
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    peer.takeDelivery()
    await peer.call(1, 'tx.select', {})
    peer.publish(1, '', 'done', 'result')
    peer.send(1, 'basic.ack', { deliveryTag: 1, multiple: false })
    await peer.settle()
    expect(broker.core.broker.queue('done').ready).toBe(0)
    await peer.call(1, 'tx.rollback', {})
    expect(broker.core.broker.queue('q').inFlight).toBe(1)
    peer.publish(1, '', 'done', 'result')
    peer.send(1, 'basic.ack', { deliveryTag: 1, multiple: false })
    await peer.call(1, 'tx.commit', {})
    expect(broker.core.broker.queue('done').ready).toBe(1)
    expect(broker.core.broker.queue('q')).toMatchObject({ ready: 0, inFlight: 0 })
  })

  test('return what nothing takes when they are committed, and not when they are rolled back', async () => {
    const { peer } = await withQueue()
    await peer.call(1, 'tx.select', {})
    peer.publish(1, '', 'nowhere', 'rolled back', {}, true)
    await peer.call(1, 'tx.rollback', {})
    peer.publish(1, '', 'nowhere', 'lost', { correlationId: '7' }, true)
    peer.publish(1, '', 'q', 'kept', {}, true)
    await peer.settle()
    expect(peer.received).toEqual([])
    peer.send(1, 'tx.commit', {})
    await peer.settle()
    expect(peer.take('basic.return')).toMatchObject({ replyCode: 312, routingKey: 'nowhere' })
    expect(new TextDecoder().decode(peer.take('header')['properties'] as Uint8Array)).toContain('7')
    expect(peer.take('body')).toEqual({ text: 'lost' })
    expect(peer.takeNames()).toEqual(['tx.commit-ok'])
    expect(await peer.call(1, 'tx.commit', {})).toEqual({})
    expect(peer.received).toEqual([])
  })

  test('publishes with a delay that begins with the commit, together with all else; nothing after a rollback', async () => {
    const { broker, peer } = await withQueue()
    const type = 'x-delayed-message'
    const later = { headers: encodeTable({ 'x-delay': 1000 }) }
    const ready = (): number => broker.core.broker.queue('q').ready
    await peer.call(1, 'exchange.declare', { ...exchange, exchange: 'later', type, arguments: { 'x-delayed-type': 'direct' } })
    await peer.call(1, 'queue.bind', { queue: 'q', exchange: 'later', routingKey: 'k', noWait: false, arguments: {} })
    await peer.call(1, 'tx.select', {})
    peer.publish(1, 'later', 'k', 'no', later)
    expect(await peer.call(1, 'tx.rollback', {})).toEqual({})
    await broker.core.advance(2000)
    expect(ready()).toBe(0)
    peer.publish(1, 'later', 'k', 'a', later)
    peer.publish(1, '', 'q', 'b')
    await broker.core.advance(2000)
    expect([ready(), broker.core.broker.stats().scheduledMessages]).toEqual([0, 0])
    expect(await peer.call(1, 'tx.commit', {})).toEqual({})
    expect([ready(), broker.core.broker.stats().scheduledMessages]).toEqual([1, 1])
    await broker.core.advance(990)
    expect(ready()).toBe(1)
    await broker.core.advance(20)
    expect(ready()).toBe(2)
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 'c', noAck: true })
    expect([peer.takeDelivery().body, peer.takeDelivery()]).toEqual([
      'b',
      expect.objectContaining({ body: 'a', routingKey: 'k' }),
    ])
  })
})

describe('direct replies', () => {
  test('go to the channel that asked', async () => {
    const { broker, peer } = await withQueue('requests')
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'amq.rabbitmq.reply-to', consumerTag: 'r', noAck: true })
    peer.publish(1, '', 'requests', '2+2', { replyTo: 'amq.rabbitmq.reply-to', correlationId: '1' })
    await peer.settle()
    const server = await broker.opened()
    await server.call(1, 'basic.consume', { ...consumption, queue: 'requests', consumerTag: 's', noAck: true })
    server.take('basic.deliver')
    const properties = new TextDecoder().decode(server.take('header')['properties'] as Uint8Array)
    const [replyTo] = /amq\.rabbitmq\.reply-to\.[\w-]{22}/.exec(properties)!
    server.publish(1, '', replyTo, '4', { correlationId: '1' })
    await peer.settle()
    expect(peer.takeDelivery()).toEqual({ tag: 1, body: '4', redelivered: false, routingKey: replyTo })
    peer.cut()
    server.takeNames()
    server.publish(1, '', replyTo, 'too late', {}, true)
    await server.settle()
    expect(server.takeNames()).toEqual(['basic.return', 'header', 'body'])
  })
})

describe('answers', () => {
  test('leave once what they tell of is durable, in order', async () => {
    const broker = await AmqpBroker.open()
    const peer = await broker.opened()
    const all = peer.frames((output) => {
      writeMethod(output, 1, 'queue.declare', { ...declaration, queue: 'q' })
      writeMethod(output, 1, 'queue.bind', { queue: 'q', exchange: 'amq.topic', routingKey: '#', noWait: false, arguments: {} })
      writeMethod(output, 1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    })
    peer.bytes(all)
    peer.publish(1, 'amq.topic', 'any', 'a')
    broker.core.platform.runTurn()
    expect(peer.received).toEqual([])
    await peer.settle()
    expect(peer.takeNames()).toEqual(['queue.declare-ok', 'queue.bind-ok', 'basic.consume-ok', 'basic.deliver', 'header', 'body'])
  })
})
