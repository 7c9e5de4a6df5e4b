import { describe, expect, test } from 'vitest'
import { AmqpBroker, type AmqpPeer } from '../../../test/amqp/amqp-peer.ts'
import { writeMethod } from './codec/method-codec.ts'

const declaration = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
const consumption = { noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} }
const startOk = { clientProperties: {}, mechanism: 'PLAIN', response: '', locale: 'en_US' }

async function withQueue(): Promise<{ broker: AmqpBroker; peer: AmqpPeer }> {
  const broker = await AmqpBroker.open()
  const peer = await broker.opened()
  await peer.call(1, 'queue.declare', { ...declaration, queue: 'q' })
  return { broker, peer }
}

describe('errors of the connection', () => {
  const bodyFrame = Uint8Array.of(3, 0, 1, 0, 0, 0, 1, 65, 0xce)
  test.each([
    [
      'a channel that is not open',
      (peer: AmqpPeer) => peer.send(9, 'basic.qos', { prefetchSize: 0, prefetchCount: 1, global: false }),
      504,
    ],
    ['a second open', (peer: AmqpPeer) => peer.send(1, 'channel.open', {}), 504],
    ['content without a method', (peer: AmqpPeer) => peer.bytes(bodyFrame), 505],
    [
      'a method in place of content',
      (peer: AmqpPeer) => {
        peer.send(1, 'basic.publish', { exchange: '', routingKey: 'q', mandatory: false, immediate: false })
        peer.send(1, 'tx.select', {})
      },
      505,
    ],
    ['a bad end of a frame', (peer: AmqpPeer) => peer.bytes(Uint8Array.of(1, 0, 1, 0, 0, 0, 1, 65, 0xcf)), 501],
    ['an unknown frame', (peer: AmqpPeer) => peer.bytes(Uint8Array.of(7, 0, 1, 0, 0, 0, 1, 65, 0xce)), 501],
    ['a heartbeat of a channel', (peer: AmqpPeer) => peer.bytes(Uint8Array.of(8, 0, 1, 0, 0, 0, 0, 0xce)), 505],
    [
      'a prefetch in bytes',
      (peer: AmqpPeer) => peer.send(1, 'basic.qos', { prefetchSize: 1, prefetchCount: 1, global: false }),
      540,
    ],
    [
      'an immediate message',
      (peer: AmqpPeer) => peer.send(1, 'basic.publish', { exchange: '', routingKey: 'q', mandatory: false, immediate: true }),
      540,
    ],
    ['recovery without requeue', (peer: AmqpPeer) => peer.send(1, 'basic.recover', { requeue: false }), 540],
    ['a channel too many', (peer: AmqpPeer) => peer.send(2048, 'channel.open', {}), 530],
    ['a method of the broker', (peer: AmqpPeer) => peer.send(1, 'basic.cancel-ok', { consumerTag: 't' }), 503],
  ])('%s', async (_, act, code) => {
    const { peer } = await withQueue()
    act(peer)
    await peer.settle()
    expect(peer.received.find(({ name }) => name === 'connection.close')?.args).toMatchObject({ replyCode: code })
    // From here on only the answer counts.
    peer.send(1, 'queue.declare', { ...declaration, queue: 'late' })
    peer.takeNames()
    peer.send(0, 'connection.close-ok', {})
    await peer.settle()
    expect(peer.takeNames()).toEqual([])
    expect(peer.closed).toBe(true)
  })

  test('a consumer tag that is in use', async () => {
    const { peer } = await withQueue()
    await peer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    peer.send(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    await peer.settle()
    expect(peer.received.find(({ name }) => name === 'connection.close')?.args).toMatchObject({
      replyCode: 530,
      replyText: "NOT_ALLOWED - attempt to reuse consumer tag 't'",
    })
  })

  test.each([
    ['on another channel', (peer: AmqpPeer) => peer.frames((output) => writeMethod(output, 2, 'channel.open', {}))],
    ['on channel 0', (peer: AmqpPeer) => peer.frames((output) => writeMethod(output, 0, 'connection.start-ok', startOk))],
    ['in its frames', () => Uint8Array.of(7, 0, 1, 0, 0, 0, 1, 65, 0xce)],
    ['on a channel that is not open', (peer: AmqpPeer) => peer.publishBytes(9, '', 'q', 'nowhere')],
  ])('%s, in one piece with what was published before it, on any channel, lose none of that', async (_, failing) => {
    const { broker, peer } = await withQueue()
    for (const channel of [2, 3]) await peer.call(channel, 'channel.open', {})
    await peer.call(3, 'confirm.select', { noWait: false })
    const before = [1, 2, 3].map((channel) => peer.publishBytes(channel, '', 'q', `by ${channel}`))
    peer.bytes(Buffer.concat([...before, failing(peer), peer.publishBytes(2, '', 'q', 'too late')]))
    await peer.settle()
    expect(peer.takeNames()).toEqual(['basic.ack', 'connection.close'])
    expect(broker.core.broker.queue('q').ready).toBe(3)
  })

  test('the end of the broker', async () => {
    const { peer } = await withQueue()
    peer.session.drain()
    await peer.settle()
    expect(peer.received.find(({ name }) => name === 'connection.close')?.args).toMatchObject({ replyCode: 320 })
  })
})
