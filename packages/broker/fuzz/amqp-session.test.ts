import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MillraceError } from '../src/base/errors.ts'
import { writeContent } from '../src/protocols/amqp/codec/deliveries.ts'
import { writeMethod } from '../src/protocols/amqp/codec/method-codec.ts'
import { methodTable } from '../src/protocols/amqp/codec/methods.ts'
import type { MethodName } from '../src/protocols/amqp/codec/methods.ts'
import { Output } from '../src/protocols/amqp/codec/output.ts'
import { encodeProperties } from '../src/protocols/amqp/codec/properties.ts'
import { openToAll, type Security } from '../src/protocols/security.ts'
import { AmqpBroker, type AmqpPeer } from '../test/amqp/amqp-peer.ts'
import { anyArguments, frameBytes } from '../test/amqp/any-method.ts'
import { anyProperties } from '../test/amqp/any-properties.ts'
import { concat, fuzzing, type FuzzRandom } from './fuzz.ts'

const SESSIONS = 4
const FRAMES_MAX = 40
const WRITTEN_BYTES_MAX = 16 * 1024 * 1024
const HEAP_BYTES_MAX = 256 * 1024 * 1024
const GREETING = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1)
const FRAME_BYTES_MAX = 131_072
const methodNames = Object.keys(methodTable) as MethodName[]
const usualNames = methodNames.filter((name) => !name.startsWith('connection.'))

/** Names and numbers that are likely to mean something. */
const plausible: Readonly<Record<string, readonly unknown[]>> = {
  queue: ['a', 'b', 'a', 'b', '', 'none', 'amq.rabbitmq.reply-to'],
  exchange: ['', '', 'x', 'amq.topic', 'amq.fanout', 'none'],
  source: ['x', 'amq.topic', 'amq.fanout'],
  destination: ['x', 'amq.fanout', 'none'],
  type: ['direct', 'fanout', 'topic', 'headers', 'x-delayed-message', 'nonsense'],
  routingKey: ['a', 'b', 'a.b', '#'],
  consumerTag: ['t', 'u', ''],
  deliveryTag: [0, 1, 2, 3, 100],
  prefetchCount: [0, 1, 100],
  prefetchSize: [0],
  immediate: [false],
}

test(
  'whatever an AMQP client sends: no exception, bounded output and memory, and others are not disturbed',
  fuzzing(async (random) => {
    const broker = await AmqpBroker.open({ limits: { partitionsMax: 8, queuesMax: 50 } })
    for (let n = 0; n < SESSIONS; n++) expect(await misbehave(random, broker)).toBeLessThan(WRITTEN_BYTES_MAX)
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(HEAP_BYTES_MAX)
    await expectWorking(broker)
  }),
)

test(
  'nothing happens for who did not log in',
  fuzzing(async (random) => {
    const broker = await AmqpBroker.open({ security: closedToAll })
    const before = stateOf(broker)
    const peer = broker.connect()
    if (random.chance(0.9)) peer.bytes(GREETING)
    if (random.chance(0.7)) await peer.logIn('eve', 'guess')
    for (let n = random.between(1, 8); n > 0 && !peer.closed; n--) {
      sendInPieces(random, peer, random.chance(0.8) ? plausibleFrames(random, methodNames) : random.bytes(random.between(1, 300)))
      if (random.chance(0.5)) await peer.settle()
    }
    await peer.settle()
    const names = new Set(peer.takeNames())
    for (const name of ['connection.start', 'connection.close', 'connection.close-ok']) names.delete(name)
    expect([...names]).toEqual([])
    expect(stateOf(broker)).toEqual(before)
  }),
)

test('a conversation that ends anywhere leaves what was complete, and nothing else', async () => {
  const broker = await AmqpBroker.open()
  const { bytes, ends } = conversation()
  for (let length = 0; length <= bytes.length; length++) {
    const peer = broker.connect()
    peer.bytes(bytes.slice(0, length))
    await peer.settle()
    expect(peer.closed).toBe(false)
    peer.cut()
    await peer.settle()
    const published = ends.filter((end) => end <= length).length
    const queue = broker.core.broker.queues().find(({ name }) => name === 'cut')
    expect({ length, ready: queue?.ready ?? 0, inFlight: queue?.inFlight ?? 0 }).toEqual({
      length,
      ready: published,
      inFlight: 0,
    })
    if (queue === undefined) continue
    broker.core.broker.deleteQueue('cut')
    await broker.core.settle()
  }
})

/** One connection that mixes sense, nonsense and damage, in pieces of any size. @returns bytes that the broker wrote to it */
async function misbehave(random: FuzzRandom, broker: AmqpBroker): Promise<number> {
  const peer = broker.connect()
  const damage = random.pick([0, 0.02, 0.2])
  const names = random.chance(0.3) ? methodNames : usualNames
  if (random.chance(0.9)) {
    await peer.open({ consumer_cancel_notify: random.chance(0.5), 'connection.blocked': random.chance(0.5) })
    if (random.chance(0.9)) peer.bytes(sensibleStart(random))
  } else if (random.chance(0.5)) peer.bytes(GREETING)
  for (let n = random.between(1, FRAMES_MAX); n > 0 && !peer.closed; n--) {
    const bytes = plausibleFrames(random, names)
    sendInPieces(random, peer, random.chance(damage) ? random.mutate(bytes) : bytes)
    if (random.chance(0.3)) await peer.settle()
    if (random.chance(0.05)) peer.session.tick(broker.core.platform.clock.monotonicMs())
    if (random.chance(0.02)) await broker.core.advance(random.between(1, 30_000))
    if (random.chance(0.1)) peer.backlogBytes = random.pick([0, 1 << 30])
    if (random.chance(0.1)) peer.session.writable()
    if (random.chance(0.01)) peer.session.drain()
  }
  await peer.settle()
  peer.cut()
  await peer.settle()
  return peer.raw.reduce((sum, chunk) => sum + chunk.length, 0)
}

/** A peer that behaves gets what it is promised, whatever others did before. */
async function expectWorking(broker: AmqpBroker): Promise<void> {
  const peer = await broker.opened()
  const queue = 'canary'
  const declared = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
  const consumption = { consumerTag: 't', noLocal: false, noAck: true, exclusive: false, noWait: false, arguments: {} }
  await peer.call(1, 'queue.declare', { ...declared, queue })
  await peer.call(1, 'confirm.select', { noWait: false })
  peer.publish(1, '', queue, 'alive')
  await peer.settle()
  expect(peer.take('basic.ack')).toEqual({ deliveryTag: 1, multiple: false })
  await peer.call(1, 'basic.consume', { ...consumption, queue })
  expect(peer.takeDelivery().body).toBe('alive')
  peer.cut()
}

// ---- what is sent -------------------------------------------------------------------------------------------------------

function sendInPieces(random: FuzzRandom, peer: AmqpPeer, bytes: Uint8Array): void {
  const cut = random.between(0, bytes.length)
  for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) if (piece.length > 0) peer.bytes(piece.slice())
}

/** Channels, queues and consumers, so that later frames mean something. */
function sensibleStart(random: FuzzRandom): Uint8Array {
  const output = new Output()
  for (const channel of [1, 2]) {
    writeMethod(output, channel, 'channel.open', {})
    if (random.chance(0.5)) writeMethod(output, channel, random.chance(0.7) ? 'confirm.select' : 'tx.select', { noWait: false })
    for (const queue of ['a', 'b']) {
      const declared = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
      const consumption = { noLocal: false, noAck: random.chance(0.3), exclusive: false, noWait: false, arguments: {} }
      writeMethod(output, channel, 'queue.declare', { ...declared, queue })
      if (random.chance(0.5)) {
        writeMethod(output, channel, 'basic.consume', { ...consumption, queue, consumerTag: `${queue}${channel}` })
      }
    }
  }
  return frameBytes(output)
}

/** A method with likely arguments, and mostly the content that belongs to it. */
function plausibleFrames(random: FuzzRandom, names: readonly MethodName[]): Uint8Array {
  const output = new Output()
  const channel = random.pick([0, 1, 1, 1, 2, 2, 3, 0xffff])
  const name = random.chance(0.3) ? 'basic.publish' : random.pick(names)
  const args: Record<string, unknown> = { ...sample(random, anyArguments(name)) }
  for (const field of Object.keys(args)) {
    const values = plausible[field]
    if (values !== undefined && random.chance(0.9)) args[field] = random.pick(values)
    if (field === 'arguments' && random.chance(0.7)) args[field] = {}
  }
  writeMethod(output, channel, name, args as never)
  if (random.chance(name === 'basic.publish' ? 0.95 : 0.02)) {
    const properties = random.chance(0.5) ? {} : sample(random, anyProperties)
    const body = random.bytes(random.pick([0, 1, 50, 5000]))
    writeContent(output, channel, encodeProperties(properties), body, 0, body.length, random.pick([4096, FRAME_BYTES_MAX]))
  }
  return frameBytes(output)
}

/** From the greeting to a message that waits. @returns where each publish is complete, too */
function conversation(): { readonly bytes: Uint8Array; readonly ends: readonly number[] } {
  const output = new Output()
  const parts: Uint8Array[] = [GREETING]
  const ends: number[] = []
  const response = '\0guest\0guest'
  writeMethod(output, 0, 'connection.start-ok', { clientProperties: {}, mechanism: 'PLAIN', response, locale: 'en_US' })
  writeMethod(output, 0, 'connection.tune-ok', { channelMax: 10, frameMax: FRAME_BYTES_MAX, heartbeat: 0 })
  writeMethod(output, 0, 'connection.open', { virtualHost: '/' })
  writeMethod(output, 1, 'channel.open', {})
  const declared = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
  const consumption = { consumerTag: 't', noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} }
  writeMethod(output, 1, 'queue.declare', { ...declared, queue: 'cut' })
  writeMethod(output, 1, 'confirm.select', { noWait: false })
  writeMethod(output, 1, 'basic.consume', { ...consumption, queue: 'cut' })
  for (const body of ['one', 'two and more']) {
    writeMethod(output, 1, 'basic.publish', { exchange: '', routingKey: 'cut', mandatory: false, immediate: false })
    const bytes = new TextEncoder().encode(body)
    writeContent(output, 1, encodeProperties({ deliveryMode: 2 }), bytes, 0, bytes.length, FRAME_BYTES_MAX)
    parts.push(frameBytes(output))
    ends.push(concat(...parts).length)
  }
  return { bytes: concat(...parts), ends }
}

// ---- pieces -------------------------------------------------------------------------------------------------------------

function sample<Value>(random: FuzzRandom, arbitrary: fc.Arbitrary<Value>): Value {
  return fc.sample(arbitrary, { seed: random.between(0, 2 ** 31 - 1), numRuns: 1 })[0]!
}

/** There are users, and nobody is one of them. */
const closedToAll: Security = {
  ...openToAll,
  mechanisms: () => ['PLAIN'],
  login: () => {
    throw new MillraceError('unauthorized', 'wrong user or password')
  },
}

function stateOf({ core: { broker } }: AmqpBroker): unknown {
  const { consumers, publishedMessages } = broker.stats()
  return [broker.queues(), broker.topics(), broker.router.exchanges(), consumers, publishedMessages]
}
