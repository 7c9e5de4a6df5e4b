import { describe, expect, test } from 'vitest'
import { AmqpBroker, type AmqpPeer } from '../../../test/amqp/amqp-peer.ts'
import { journalOver } from '../../../test/core/journal-over.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'
import type { AppendResult, Journal } from '../../ports/journal.ts'
import { writeMethod } from './codec/method-codec.ts'
import { limits } from './limits.ts'

const KIB = 1024
const declaration = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
const consumption = { noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} }
const knowing = { 'connection.blocked': true }

/** The memory journal, whose appends wait while they are held. */
async function controlled(): Promise<{ journal: Journal; hold: () => void; release: () => void }> {
  const inner = await openMemoryJournal()
  let held = false
  const waiting: (() => void)[] = []
  const append: Journal['append'] = async (sequence, batch): Promise<AppendResult> => {
    if (held) await new Promise<void>((resolve) => waiting.push(resolve))
    return inner.append(sequence, batch)
  }
  const release = (): void => {
    held = false
    for (const resolve of waiting.splice(0)) resolve()
  }
  return { journal: journalOver(inner, { append }), hold: () => (held = true), release }
}

async function declared(broker: AmqpBroker, capabilities: Readonly<Record<string, boolean>> = knowing): Promise<AmqpPeer> {
  const peer = await broker.opened(capabilities)
  await peer.call(1, 'queue.declare', { ...declaration, queue: 'q' })
  return peer
}

function tick(broker: AmqpBroker, peer: AmqpPeer, ms = 0): Promise<void> {
  peer.session.tick(broker.core.platform.clock.monotonicMs() + ms)
  return peer.settle()
}

describe('a full disk', () => {
  async function filled(): Promise<{ broker: AmqpBroker; publisher: AmqpPeer; consumer: AmqpPeer; published: number }> {
    const journal = await openMemoryJournal({ bytesMax: 4096 * KIB, batchBytesMax: 64 * KIB })
    const broker = await AmqpBroker.open({ journal, storage: { headroomReserveBytes: 512 * KIB } })
    const publisher = await declared(broker)
    await publisher.call(1, 'confirm.select', { noWait: false })
    let published = 0
    for (; !publisher.paused && published < 1000; published++) {
      publisher.publish(1, '', 'q', 'x'.repeat(16_000))
      await publisher.settle()
    }
    return { broker, publisher, consumer: await broker.opened(knowing), published }
  }

  test('blocks who publishes, until there is room; consumers and acknowledgements go on', async () => {
    const { broker, publisher, consumer, published } = await filled()
    expect(publisher.paused).toBe(true)
    const frames = publisher.received.splice(0)
    expect(frames.filter(({ name }) => name.startsWith('connection.'))).toMatchObject([
      { name: 'connection.blocked', args: { reason: 'the disk is full' } },
    ])
    const before = broker.core.broker.queue('q').ready
    expect(before).toBeGreaterThanOrEqual(published - 1)
    await consumer.call(1, 'basic.consume', { ...consumption, queue: 'q', consumerTag: 't' })
    expect(consumer.received.filter(({ name }) => name === 'basic.deliver')).toHaveLength(before)
    consumer.send(1, 'basic.ack', { deliveryTag: before, multiple: true })
    for (let n = 0; n < 60; n++) await broker.core.advance(1000)
    expect(broker.core.broker.acceptsPublishes).toBe(true)
    expect(broker.core.broker.queue('q')).toMatchObject({ ready: 0, inFlight: 0 })
    expect([consumer.paused, publisher.paused]).toEqual([false, false])
    expect(publisher.takeNames()).toEqual(['connection.unblocked'])
    publisher.publish(1, '', 'q', 'again')
    await publisher.settle()
    expect(publisher.take('basic.ack')).toMatchObject({ multiple: false })
  })

  test('is noticed by who publishes nothing just then', async () => {
    const { broker, publisher } = await filled()
    const other = await broker.opened(knowing)
    await tick(broker, other)
    expect([other.paused, other.takeNames()]).toEqual([false, []])
    publisher.cut()
  })
})

describe('more than can be written', () => {
  const storage = { pendingBytesHigh: 64 * KIB, pendingBytesLow: 16 * KIB }

  test.each([
    ['is told to who understands it', knowing, ['connection.blocked', 'connection.unblocked']],
    ['is not told to who does not', {}, []],
  ])('stops the publisher for a while, and %s', async (_, capabilities, told) => {
    const { journal, hold, release } = await controlled()
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
    const { journal, hold, release } = await controlled()
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
