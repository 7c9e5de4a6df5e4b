import { beforeEach, describe, expect, test } from 'vitest'
import { AmqpBroker, type AmqpPeer } from '../../../test/amqp/amqp-peer.ts'
import { decodeTable, type FieldTable } from './codec/field-table.ts'
import { Properties, PROPERTY } from './codec/properties.ts'

let broker: AmqpBroker

beforeEach(async () => {
  broker = await AmqpBroker.open()
})

async function declare(peer: AmqpPeer, queue: string, table: Record<string, string | number> = {}): Promise<void> {
  const declaration = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false }
  await peer.call(1, 'queue.declare', { ...declaration, queue, arguments: table })
}

async function declareExchange(
  peer: AmqpPeer,
  exchange: string,
  ...bindings: readonly (readonly [string, string])[]
): Promise<void> {
  const declaration = { passive: false, durable: true, internal: false, autoDelete: false, noWait: false, arguments: {} }
  await peer.call(1, 'exchange.declare', { ...declaration, exchange, type: 'direct' })
  for (const [routingKey, queue] of bindings)
    await peer.call(1, 'queue.bind', { queue, exchange, routingKey, noWait: false, arguments: {} })
}

async function rejectOne(peer: AmqpPeer, queue: string): Promise<void> {
  const { deliveryTag } = await peer.call(1, 'basic.get', { queue, noAck: false })
  peer.takeNames()
  peer.send(1, 'basic.reject', { deliveryTag: deliveryTag as number, requeue: false })
  await peer.settle()
}

interface Got {
  readonly exchange: unknown
  readonly routingKey: unknown
  readonly body: unknown
  readonly death: Readonly<Record<string, unknown>>
}

/** What is in a queue, with the newest death. */
async function get(peer: AmqpPeer, queue: string): Promise<Got> {
  const { exchange, routingKey } = await peer.call(1, 'basic.get', { queue, noAck: true })
  const bytes = peer.take('header')['properties'] as Uint8Array
  const properties = new Properties()
  properties.read(bytes, 0, bytes.length)
  const headers = decodeTable(bytes, properties.at(PROPERTY.headers), properties.end(PROPERTY.headers))
  const [death] = headers.get('x-death') as readonly FieldTable[]
  const { names, values } = death!
  return {
    exchange,
    routingKey,
    body: peer.take('body')['text'],
    death: Object.fromEntries(names.map((name, n) => [name, values[n]])),
  }
}

describe('what a full queue refuses', () => {
  const limits = { 'x-max-length': 1, 'x-overflow': 'reject-publish-dlx' }

  test('is refused to its publisher, and is in the dead letters', async () => {
    const peer = await broker.opened()
    await declare(peer, 'dead')
    await declareExchange(peer, 'dlx', ['small', 'dead'])
    await declare(peer, 'small', { ...limits, 'x-dead-letter-exchange': 'dlx' })
    await peer.call(1, 'confirm.select', { noWait: false })
    for (const body of ['a', 'b']) {
      peer.publish(1, '', 'small', body)
      await peer.settle()
    }
    expect(peer.takeNames()).toEqual(['basic.ack', 'basic.nack'])
    expect(await get(peer, 'dead')).toMatchObject({
      exchange: 'dlx',
      routingKey: 'small',
      body: 'b',
      death: { reason: 'maxlen' },
    })
    expect(broker.core.broker.queue('small').ready).toBe(1)
  })

  test('is lost where there are no dead letters', async () => {
    const peer = await broker.opened()
    await declare(peer, 'small', limits)
    await peer.call(1, 'confirm.select', { noWait: false })
    for (const body of ['a', 'b']) {
      peer.publish(1, '', 'small', body)
      await peer.settle()
    }
    expect(peer.takeNames()).toEqual(['basic.ack', 'basic.nack'])
  })
})

describe('in another virtual host', () => {
  let peer: AmqpPeer

  beforeEach(async () => {
    broker.administration.vhosts.put('v', {})
    peer = await broker.opened({}, 'v')
    const other = await broker.opened()
    // What letters would find if names were not those of the virtual host.
    for (const queue of ['dead', 'work']) await declare(other, queue)
    await declareExchange(other, 'dlx', ['work', 'dead'])
    await declare(peer, 'dead')
  })

  test('letters go to its exchanges', async () => {
    await declareExchange(peer, 'dlx', ['work', 'dead'])
    await declare(peer, 'work', { 'x-dead-letter-exchange': 'dlx' })
    peer.publish(1, '', 'work', 'a')
    await rejectOne(peer, 'work')
    const death = { queue: 'work', reason: 'rejected', exchange: '', 'routing-keys': ['work'] }
    expect(await get(peer, 'dead')).toMatchObject({ exchange: 'dlx', routingKey: 'work', body: 'a', death })
  })

  test('the default exchange finds the queue that the arguments name', async () => {
    await declare(peer, 'work', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' })
    peer.publish(1, '', 'work', 'a')
    await rejectOne(peer, 'work')
    expect(await get(peer, 'dead')).toMatchObject({ exchange: '', routingKey: 'dead', body: 'a', death: { queue: 'work' } })
  })

  test('the default exchange finds the queue whose name is the key of the letter', async () => {
    await declare(peer, 'work', { 'x-dead-letter-exchange': '' })
    await declareExchange(peer, 'in', ['dead', 'work'])
    peer.publish(1, 'in', 'dead', 'a')
    await rejectOne(peer, 'work')
    const death = { queue: 'work', exchange: 'in', 'routing-keys': ['dead'] }
    expect(await get(peer, 'dead')).toMatchObject({ exchange: '', routingKey: 'dead', body: 'a', death })
  })
})

test('a letter tells how long it had to live', async () => {
  const peer = await broker.opened()
  await declare(peer, 'dead')
  await declare(peer, 'short', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' })
  peer.publish(1, '', 'short', 'a', { expiration: '1500' })
  await peer.settle()
  await broker.core.advance(2000)
  expect(await get(peer, 'dead')).toMatchObject({ body: 'a', death: { reason: 'expired', 'original-expiration': '1500' } })
})
