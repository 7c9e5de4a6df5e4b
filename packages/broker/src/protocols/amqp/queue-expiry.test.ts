import { expect, test } from 'vitest'
import { AmqpBroker } from '../../../test/amqp/amqp-peer.ts'

const EXPIRE_MS = 60_000
const declaration = { queue: 'inbox', durable: true, exclusive: false, autoDelete: false, arguments: { 'x-expires': EXPIRE_MS } }

test.each([
  ['a declaration', { passive: false, noWait: false }, true],
  ['a passive declaration', { passive: true, noWait: false }, true],
  ['a declaration that wants no answer', { passive: false, noWait: true }, false],
])('%s of a queue that expires: %o; it stays for another while: %s', async (_, how, stays) => {
  const broker = await AmqpBroker.open()
  const peer = await broker.opened()
  const exists = (): boolean => broker.core.broker.queues().some(({ name }) => name === 'inbox')
  await peer.call(1, 'queue.declare', { ...declaration, passive: false, noWait: false })
  await broker.core.advance(EXPIRE_MS - 1)
  peer.send(1, 'queue.declare', { ...declaration, ...how })
  await peer.settle()
  await broker.core.advance(EXPIRE_MS - 1)
  expect(exists()).toBe(stays)
  await broker.core.advance(EXPIRE_MS)
  expect(exists()).toBe(false)
})

test('a queue that was asked by basic.get expires while the channel is open, counted from then', async () => {
  const broker = await AmqpBroker.open()
  const peer = await broker.opened()
  const exists = (): boolean => broker.core.broker.queues().some(({ name }) => name === 'inbox')
  await peer.call(1, 'queue.declare', { ...declaration, passive: false, noWait: false })
  for (let n = 0; n < 3; n++) {
    await broker.core.advance(EXPIRE_MS - 1)
    peer.send(1, 'basic.get', { queue: 'inbox', noAck: true })
    await peer.settle()
    expect(peer.takeNames()).toEqual(['basic.get-empty'])
  }
  await broker.core.advance(EXPIRE_MS - 1)
  expect(exists()).toBe(true)
  await broker.core.advance(EXPIRE_MS / 4 + 1)
  expect(exists()).toBe(false)
})
