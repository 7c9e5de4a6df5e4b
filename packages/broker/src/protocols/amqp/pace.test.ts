import { describe, expect, test } from 'vitest'
import { AmqpBroker, type AmqpPeer } from '../../../test/amqp/amqp-peer.ts'
import { heldJournal } from '../../../test/core/held-journal.ts'
import { journalOver } from '../../../test/core/journal-over.ts'
import { TestMemory } from '../../../test/core/test-memory.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'
import { writeMethod } from './codec/method-codec.ts'
import { limits } from './limits.ts'

const KIB = 1024
const declaration = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
const consumption = { noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} }
const knowing = { 'connection.blocked': true }

async function declared(broker: AmqpBroker, capabilities: Readonly<Record<string, boolean>> = knowing): Promise<AmqpPeer> {
  const peer = await broker.opened(capabilities)
  await peer.call(1, 'queue.declare', { ...declaration, queue: 'q' })
  return peer
}

function tick(broker: AmqpBroker, peer: AmqpPeer, ms = 0): Promise<void> {
  peer.session.tick(broker.core.platform.clock.monotonicMs() + ms)
  return peer.settle()
}

/** A disk that another program fills. */
async function shared(): Promise<{ broker: AmqpBroker; disk: { isFull: boolean } }> {
  const inner = await openMemoryJournal()
  const disk = { isFull: false }
  const journal = journalOver(inner, { headroomBytes: () => (disk.isFull ? 0 : inner.headroomBytes()) })
  return { broker: await AmqpBroker.open({ journal }), disk }
}

async function blocked(): Promise<{ broker: AmqpBroker; publisher: AmqpPeer; disk: { isFull: boolean } }> {
  const { broker, disk } = await shared()
  const publisher = await declared(broker)
  await publisher.call(1, 'confirm.select', { noWait: false })
  publisher.publish(1, '', 'q', 'before')
  await publisher.settle()
  expect(publisher.takeNames()).toEqual(['basic.ack'])
  disk.isFull = true
  // The commit of this one finds it out.
  publisher.publish(1, '', 'q', 'last')
  await publisher.settle()
  expect(publisher.paused).toBe(true)
  expect(publisher.received.map(({ name }) => name).toSorted()).toEqual(['basic.ack', 'connection.blocked'])
  publisher.received.splice(0, publisher.received.length, ...publisher.received.filter(({ name }) => name !== 'basic.ack'))
  return { broker, publisher, disk }
}

describe('a full disk', () => {
  test('blocks who publishes, until there is room; consumers and acknowledgements go on', async () => {
    const { broker, publisher, disk } = await blocked()
    expect(publisher.paused).toBe(true)
    expect(publisher.take('connection.blocked')).toEqual({ reason: 'low on disk' })
    const consumer = await broker.opened(knowing)
    await consumer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    expect([consumer.takeDelivery().body, consumer.takeDelivery().body]).toEqual(['before', 'last'])
    consumer.send(1, 'basic.ack', { deliveryTag: 2, multiple: true })
    await consumer.settle()
    expect(broker.core.broker.queue('q')).toMatchObject({ ready: 0, inFlight: 0 })
    expect([consumer.paused, publisher.paused, publisher.received]).toEqual([false, true, []])
    disk.isFull = false
    await broker.core.advance(60_000)
    expect(publisher.paused).toBe(false)
    expect(publisher.takeNames()).toEqual(['connection.unblocked'])
    publisher.publish(1, '', 'q', 'again')
    await publisher.settle()
    expect(publisher.take('basic.ack')).toEqual({ deliveryTag: 3, multiple: false })
  })

  test('refuses what is published all the same, by a nack, and then blocks', async () => {
    const { broker, publisher } = await blocked()
    const other = await broker.opened(knowing)
    await other.call(1, 'confirm.select', { noWait: false })
    other.publish(1, '', 'q', 'late')
    await other.settle()
    expect(other.paused).toBe(true)
    expect(other.takeNames().toSorted()).toEqual(['basic.nack', 'connection.blocked'])
    expect(broker.core.broker.queue('q').ready).toBe(2)
    publisher.cut()
  })

  test('that another program fills is told to idle publishers, without a publish', async () => {
    const { broker, disk } = await shared()
    const publisher = await declared(broker)
    publisher.publish(1, '', 'q', 'before')
    await publisher.settle()
    disk.isFull = true
    await broker.core.advance(10_000)
    expect([publisher.paused, publisher.takeNames()]).toEqual([true, ['connection.blocked']])
    disk.isFull = false
    await broker.core.advance(1000)
    expect([publisher.paused, publisher.takeNames()]).toEqual([false, ['connection.unblocked']])
  })

  test('leaves those alone who publish nothing', async () => {
    const { broker } = await blocked()
    const other = await broker.opened(knowing)
    await tick(broker, other)
    expect([other.paused, other.takeNames()]).toEqual([false, []])
  })
})

describe('too little memory', () => {
  test('blocks who publishes, at once and until it is over; what was sent counts, consumers go on', async () => {
    const memory = new TestMemory()
    const broker = await AmqpBroker.open({ memory })
    const [publisher, consumer] = [await declared(broker), await broker.opened(knowing)]
    publisher.publish(1, '', 'q', 'first')
    await publisher.settle()
    memory.become(true)
    await publisher.settle()
    expect([publisher.paused, publisher.take('connection.blocked')]).toEqual([true, { reason: 'low on memory' }])
    const other = await declared(broker)
    other.publish(1, '', 'q', 'sent before it was told')
    await other.settle()
    expect([other.paused, other.takeNames()]).toEqual([true, ['connection.blocked']])
    await consumer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    expect([consumer.takeDelivery().body, consumer.takeDelivery().body]).toEqual(['first', 'sent before it was told'])
    expect(consumer.paused).toBe(false)
    publisher.cut()
    memory.become(false)
    await other.settle()
    expect([other.paused, other.takeNames(), consumer.received]).toEqual([false, ['connection.unblocked'], []])
  })
})

describe('more than can be written', () => {
  const storage = { pendingBytesHigh: 64 * KIB, pendingBytesLow: 16 * KIB }

  test.each([
    ['is told to who understands it', knowing, ['connection.blocked', 'connection.unblocked']],
    ['is not told to who does not', {}, []],
  ])('stops the publisher for a while, and %s', async (_, capabilities, told) => {
    const { journal, hold, release } = await heldJournal()
    const broker = await AmqpBroker.open({ journal, storage })
    const peer = await declared(broker, capabilities)
    hold()
    for (let n = 0; n < 20 && !peer.paused; n++) peer.publish(1, '', 'q', 'x'.repeat(8 * KIB))
    await peer.settle()
    expect(peer.paused).toBe(true)
    // What is over soon is not worth a word.
    await tick(broker, peer)
    expect(peer.received).toEqual([])
    await tick(broker, peer, limits.blockedAfterMs)
    release()
    await peer.settle()
    expect(peer.paused).toBe(false)
    expect(peer.takeNames()).toEqual(told)
  })
})

describe('more questions than answers', () => {
  test('stop the client until answers have left, in order', async () => {
    const { journal, hold, release } = await heldJournal()
    const broker = await AmqpBroker.open({ journal })
    const peer = await declared(broker)
    hold()
    const asked = limits.answersMax + 2
    const frames = peer.frames((output) => {
      writeMethod(output, 1, 'queue.declare', { ...declaration, queue: 'new' })
      for (let n = 1; n < asked; n++) writeMethod(output, 1, 'queue.declare', { ...declaration, passive: true, queue: 'new' })
    })
    peer.bytes(frames)
    expect(peer.paused).toBe(true)
    await peer.settle()
    expect([peer.paused, peer.received.length]).toEqual([true, 0])
    release()
    await peer.settle()
    expect(peer.paused).toBe(false)
    expect(peer.takeNames()).toEqual(Array.from({ length: asked }, () => 'queue.declare-ok'))
  })
})

test('a message larger than any batch is refused before its body comes', async () => {
  const broker = await AmqpBroker.open({ limits: { batchBytesMax: 64 * KIB } })
  const peer = await declared(broker)
  const frames = peer.publishBytes(1, '', 'q', 'x'.repeat(64 * KIB + 1))
  peer.bytes(frames.slice(0, 100))
  await peer.settle()
  expect(peer.take('channel.close')).toMatchObject({
    replyCode: 406,
    replyText: `PRECONDITION_FAILED - message size ${64 * KIB + 1} is larger than configured max size ${64 * KIB}`,
  })
})
