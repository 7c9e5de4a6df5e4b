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

const open = (peer: AmqpPeer, channel: number): Uint8Array =>
  peer.frames((output) => writeMethod(output, channel, 'channel.open', {}))

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

  test.each([
    ['with confirms', true, ['basic.ack']],
    ['without confirms', false, []],
  ])('holds what is published for the first time, %s, and all that follows, until there is room', async (_, confirms, told) => {
    const { broker, publisher, disk } = await blocked()
    publisher.cut()
    const other = await broker.opened(knowing)
    if (confirms) await other.call(1, 'confirm.select', { noWait: false })
    const late = other.publishBytes(1, '', 'q', 'late')
    // Cut anywhere.
    for (const part of [late.subarray(0, 30), late.subarray(30, 35), late.subarray(35)]) other.bytes(part)
    other.send(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 1, global: false })
    other.publish(1, 'amq.fanout', '', 'nowhere')
    other.publish(1, '', 'q', 'later')
    await other.settle()
    expect([other.paused, other.takeNames(), broker.core.broker.queue('q').ready]).toEqual([true, ['connection.blocked'], 2])
    disk.isFull = false
    await broker.core.advance(60_000)
    expect([other.paused, other.takeNames(), broker.core.broker.queue('q').ready]).toEqual([
      false,
      ['connection.unblocked', 'basic.qos-ok', ...told],
      4,
    ])
    disk.isFull = true
    await broker.core.advance(10_000)
    const close = { replyCode: 200, replyText: '', classId: 0, methodId: 0 }
    other.bytes(
      Buffer.concat([
        other.publishBytes(1, '', 'q', 'last'),
        other.frames((output) => writeMethod(output, 0, 'connection.close', close)),
      ]),
    )
    await other.settle()
    expect([other.closed, other.takeNames()]).toEqual([false, ['connection.blocked']])
    disk.isFull = false
    await broker.core.advance(60_000)
    expect([other.closed, other.takeNames(), broker.core.broker.queue('q').ready]).toEqual([
      true,
      ['connection.unblocked', ...told, 'connection.close-ok'],
      5,
    ])
  })

  test('that fills again while what was held is taken holds the rest', async () => {
    const { broker, publisher, disk } = await blocked()
    publisher.cut()
    const other = await broker.opened(knowing)
    other.publish(1, '', 'q', 'late')
    await other.settle()
    for (let round = 0; round < 3; round++) {
      expect([other.paused, other.takeNames()]).toEqual([true, ['connection.blocked']])
      disk.isFull = false
      await broker.core.advance(10_000)
      expect([other.paused, other.takeNames(), broker.core.broker.queue('q').ready]).toEqual([
        false,
        ['connection.unblocked'],
        3 + round,
      ])
      disk.isFull = true
      await broker.core.advance(10_000)
      expect(other.takeNames()).toEqual(['connection.blocked'])
      // Was under way.
      other.publish(1, '', 'q', 'again')
      await other.settle()
      expect(other.received).toEqual([])
      other.received.push({ channel: 0, name: 'connection.blocked', args: {} })
    }
  })

  test('that the publishes of one read fill keeps the rest of them, in order', async () => {
    const journal = await openMemoryJournal({ bytesMax: 4096 * KIB })
    const broker = await AmqpBroker.open({ journal })
    const peer = await declared(broker)
    await peer.call(1, 'queue.declare', { ...declaration, queue: 'p' })
    await peer.call(1, 'confirm.select', { noWait: false })
    // By turns, so that each is a batch of its own; far more than there is room for.
    const body = 'x'.repeat(64 * KIB)
    const count = 100
    peer.bytes(
      Buffer.concat(Array.from({ length: count }, (_, n) => peer.publishBytes(1, '', n % 2 === 0 ? 'q' : 'p', `${n} ${body}`))),
    )
    await peer.settle()
    expect(peer.paused).toBe(true)
    const taken = (): number => broker.core.broker.queue('q').ready + broker.core.broker.queue('p').ready
    const before = taken()
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(count)
    expect(peer.takeNames().filter((name) => name !== 'basic.ack')).toEqual(['connection.blocked'])
    const consumer = await broker.opened(knowing)
    const seen: number[] = []
    for (const queue of ['q', 'p']) consumer.send(1, 'basic.consume', { ...consumption, queue, consumerTag: queue, noAck: true })
    for (let n = 0; n < 1000 && seen.length < count; n++) {
      consumer.session.writable()
      await broker.core.advance(1000)
      for (const { name, args } of consumer.received.splice(0))
        if (name === 'body') seen.push(Number((args['text'] as string).split(' ')[0]))
    }
    expect(seen.filter((n) => n % 2 === 0)).toEqual(Array.from({ length: count / 2 }, (_, n) => 2 * n))
    expect(seen.filter((n) => n % 2 === 1)).toEqual(Array.from({ length: count / 2 }, (_, n) => 2 * n + 1))
    await peer.settle()
    const told = peer.received.filter(({ name }) => name === 'basic.ack').at(-1)
    expect(told?.args).toMatchObject({ deliveryTag: count })
    expect(peer.received.filter(({ name }) => name !== 'basic.ack').at(-1)?.name).toBe('connection.unblocked')
  })

  test('holds the commit of a transaction that publishes, and not one that acknowledges', async () => {
    const { broker, disk } = await shared()
    const [publisher, consumer] = [await declared(broker), await broker.opened(knowing)]
    publisher.publish(1, '', 'q', 'before')
    for (const peer of [publisher, consumer]) await peer.call(1, 'tx.select', {})
    publisher.publish(1, '', 'q', 'in the transaction')
    await consumer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    consumer.takeDelivery()
    disk.isFull = true
    await broker.core.advance(10_000)
    publisher.takeNames()
    publisher.send(1, 'tx.commit', {})
    consumer.send(1, 'basic.ack', { deliveryTag: 1, multiple: false })
    await consumer.call(1, 'tx.commit', {})
    expect(publisher.received).toEqual([])
    disk.isFull = false
    await broker.core.advance(10_000)
    expect(publisher.takeNames()).toEqual(['connection.unblocked', 'tx.commit-ok'])
    expect(consumer.takeDelivery().body).toBe('in the transaction')
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

test('what comes in one piece with the end of the connection is stored before it', async () => {
  const broker = await AmqpBroker.open()
  const peer = await declared(broker)
  const close = { replyCode: 200, replyText: '', classId: 0, methodId: 0 }
  const frames = [
    peer.publishBytes(1, '', 'q', 'last'),
    peer.frames((output) => writeMethod(output, 0, 'connection.close', close)),
  ]
  peer.bytes(Buffer.concat(frames))
  await peer.settle()
  expect([peer.takeNames(), broker.core.broker.queue('q').ready]).toEqual([['connection.close-ok'], 1])
})

test('who is blocked is sent heartbeats and owes none, and again owes them afterwards', async () => {
  const { broker, disk } = await shared()
  const peer = broker.connect()
  await peer.open(knowing, '/', 10)
  await peer.call(1, 'channel.open', {})
  await peer.call(1, 'queue.declare', { ...declaration, queue: 'q' })
  disk.isFull = true
  await broker.core.advance(10_000)
  peer.publish(1, '', 'q', 'first')
  const silent = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds && !peer.closed; second++) {
      await broker.core.advance(1000)
      await tick(broker, peer)
    }
  }
  await silent(300)
  expect([peer.closed, peer.paused, peer.take('connection.blocked')]).toEqual([false, true, { reason: 'low on disk' }])
  expect(peer.received.filter(({ name }) => name === 'heartbeat').length).toBeGreaterThanOrEqual(30)
  disk.isFull = false
  await silent(19)
  expect([peer.closed, peer.paused]).toEqual([false, false])
  await silent(5)
  expect(peer.closed).toBe(true)
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

describe('far more than can be written', () => {
  const storage = { pendingBytesHigh: 64 * KIB, pendingBytesLow: 16 * KIB }

  test.each([
    ['with confirms', true],
    ['without confirms', false],
  ])('waits %s, and comes to every queue, in order', async (_, confirms) => {
    const { journal, hold, release } = await heldJournal()
    const broker = await AmqpBroker.open({ journal, storage })
    const peer = await declared(broker)
    await peer.call(1, 'queue.declare', { ...declaration, queue: 'once', arguments: { 'x-message-deduplication': true } })
    for (const queue of ['q', 'once'])
      await peer.call(1, 'queue.bind', { queue, exchange: 'amq.fanout', routingKey: '', noWait: false, arguments: {} })
    if (confirms) await peer.call(1, 'confirm.select', { noWait: false })
    hold()
    const count = 100
    const body = 'x'.repeat(8 * KIB)
    // Each with a key of its own, so that each is a batch of its own.
    peer.bytes(Buffer.concat(Array.from({ length: count }, (__, n) => peer.publishBytes(1, 'amq.fanout', `${n}`, body))))
    await peer.settle()
    expect([peer.paused, peer.take('connection.blocked')]).toEqual([true, { reason: 'more is published than can be written' }])
    expect(peer.received).toEqual([])
    release()
    await broker.core.advance(10_000)
    expect(peer.paused).toBe(false)
    const told = peer.received.splice(0)
    if (confirms) expect(told.at(-1)).toMatchObject({ name: 'basic.ack', args: { deliveryTag: count } })
    // By turns.
    const words = told.filter(({ name }) => name !== 'basic.ack').map(({ name }) => name)
    expect(words).toEqual(words.map((__, n) => (n % 2 === 0 ? 'connection.unblocked' : 'connection.blocked')))
    for (const queue of ['q', 'once']) {
      peer.send(1, 'basic.consume', { ...consumption, queue, consumerTag: queue, noAck: true })
      await broker.core.advance(1000)
      const keys = peer.received.splice(0).filter(({ name }) => name === 'basic.deliver')
      expect(keys.map(({ args }) => args['routingKey'])).toEqual(Array.from({ length: count }, (__, n) => `${n}`))
    }
  })

  const channelClose = { replyCode: 200, replyText: '', classId: 0, methodId: 0 }
  test.each([
    ['an error of the connection', (peer: AmqpPeer) => open(peer, 1), 'connection.close'],
    ['an error of the channel', (peer: AmqpPeer) => peer.publishBytes(1, 'missing', '', 'lost'), 'channel.close'],
    [
      'the end of the channel',
      (peer: AmqpPeer) => peer.frames((output) => writeMethod(output, 1, 'channel.close', channelClose)),
      'channel.close-ok',
    ],
  ])('waits also when it comes in one piece with %s, which waits for it', async (_, end, told) => {
    const { journal, hold, release } = await heldJournal()
    const broker = await AmqpBroker.open({ journal, storage })
    const peer = await declared(broker)
    await peer.call(1, 'queue.declare', { ...declaration, queue: 'p' })
    hold()
    // The first is more than is kept; that there is no room for the second is found out when all that came is published.
    const large = peer.publishBytes(1, '', 'q', 'x'.repeat(512 * KIB))
    peer.bytes(Buffer.concat([large, peer.publishBytes(1, '', 'p', 'last'), end(peer)]))
    await peer.settle()
    expect(peer.takeNames()).toEqual(['connection.blocked'])
    release()
    await broker.core.advance(10_000)
    expect(peer.takeNames().at(-1)).toBe(told)
    expect([broker.core.broker.queue('q').ready, broker.core.broker.queue('p').ready]).toEqual([1, 1])
  })
})

test('a connection that an operator closes waits for no room', async () => {
  const { journal, hold } = await heldJournal()
  const broker = await AmqpBroker.open({ journal, storage: { pendingBytesHigh: 64 * KIB, pendingBytesLow: 16 * KIB } })
  const peer = await declared(broker)
  hold()
  for (let n = 0; n < 100; n++) peer.publish(1, '', 'q', 'x'.repeat(8 * KIB))
  await peer.settle()
  expect(peer.takeNames()).toEqual(['connection.blocked'])
  peer.session.drain()
  await peer.settle()
  expect(peer.takeNames()).toEqual(['connection.close'])
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
