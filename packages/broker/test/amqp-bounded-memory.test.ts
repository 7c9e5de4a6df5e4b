import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AmqpSocket } from './amqp/amqp-socket.ts'
import { flood, FLOOD_BYTES, MIB, RSS_MAX, WatchedBroker } from './harness/watched-broker.ts'

const declaration = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
const consumption = { consumerTag: 'c', noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} }

let broker: WatchedBroker
let clients: AmqpSocket[]

beforeEach(() => {
  clients = []
})

afterEach(async () => {
  for (const client of clients) client.destroy()
  await broker.stop()
})

async function start(...options: readonly string[]): Promise<void> {
  broker = await WatchedBroker.start(['--listen=amqp=127.0.0.1:0', ...options])
}

/** A client with a channel. */
async function connect(): Promise<AmqpSocket> {
  const client = await AmqpSocket.connect(broker.process.address('amqp'))
  clients.push(client)
  return client
}

/** Some messages, to be sent again and again. */
function messages(client: AmqpSocket, count: number, bytes: number, queue = 'flood', mandatory = false): Uint8Array {
  const message = client.messageBytes(queue, 'm'.repeat(bytes), 1, mandatory)
  return Buffer.concat(Array.from({ length: count }, () => message))
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  for (const endMs = performance.now() + ms; !(await isTrue()); await sleep(20)) {
    if (performance.now() > endMs) throw new Error(`it took too long until ${what}`)
  }
}

async function depth(client: AmqpSocket, queue = 'flood'): Promise<number> {
  const answer = await client.call(1, 'queue.declare', { ...declaration, queue, passive: true })
  return (answer as { readonly messageCount: number }).messageCount
}

describe('with a small heap', () => {
  beforeEach(() => start())

  test('a publisher that never waits and never reads its confirms', { timeout: 120_000 }, async () => {
    const publisher = await connect()
    await publisher.call(1, 'queue.declare', { ...declaration, queue: 'flood' })
    await publisher.call(1, 'confirm.select', { noWait: false })
    publisher.stopReading()
    const sent = await flood(publisher, messages(publisher, 64, 1024), FLOOD_BYTES, 30_000)
    expect(await broker.stillWorks()).toBe(true)
    broker.report('AMQP publisher that never waits', sent)
    expect(sent).toBeGreaterThan(RSS_MAX)
    expect(broker.worstRss).toBeLessThan(RSS_MAX)
  })

  test.each([
    ['that acknowledges', false],
    ['without acknowledgements', true],
  ])('a consumer %s that stopped reading, and a deep queue', { timeout: 120_000 }, async (_, noAck) => {
    const [publisher, consumer] = [await connect(), await connect()]
    await publisher.call(1, 'queue.declare', { ...declaration, queue: 'flood' })
    await consumer.call(1, 'basic.consume', { ...consumption, noAck, queue: 'flood' })
    consumer.stopReading()
    const sent = await flood(publisher, messages(publisher, 64, 1024), FLOOD_BYTES, 30_000)
    expect(await broker.stillWorks()).toBe(true)
    broker.report('AMQP consumer that stopped reading', sent)
    expect(sent).toBeGreaterThan(RSS_MAX)
    expect(broker.worstRss).toBeLessThan(RSS_MAX)
    // Nearly all of it waits for others.
    consumer.destroy()
    await until('the queue is deep again', async () => (await depth(publisher)) * 1024 > sent / 2)
  })

  test('everything unacknowledged, without a prefetch limit', { timeout: 120_000 }, async () => {
    const [publisher, consumer] = [await connect(), await connect()]
    await publisher.call(1, 'queue.declare', { ...declaration, queue: 'flood' })
    const piece = messages(publisher, 1000, 8)
    const total = 600_000
    const sent = await flood(publisher, piece, (total / 1000) * piece.length, 60_000)
    await until('all are there', async () => (await depth(publisher)) === total)
    const got = { count: 0, newest: 0 }
    consumer.onDelivery = ({ tag }) => {
      got.count++
      got.newest = tag
    }
    await consumer.call(1, 'basic.consume', { ...consumption, queue: 'flood' })
    await until('nothing more comes', async () => {
      const before = got.count
      await sleep(500)
      return before > 0 && got.count === before
    })
    // As many as one consumer may hold, and more once it holds fewer.
    expect([got.count, await depth(publisher)]).toEqual([262_144, total - 262_144])
    expect(await broker.stillWorks()).toBe(true)
    while (got.count < total) {
      const before = got.count
      consumer.send(1, 'basic.ack', { deliveryTag: got.newest, multiple: true })
      await until('more comes', () => got.count > before)
    }
    broker.report('AMQP messages that nobody acknowledges', sent)
    expect(broker.worstRss).toBeLessThan(RSS_MAX)
  })

  test('returns and confirms to a client that does not read', { timeout: 120_000 }, async () => {
    const publisher = await connect()
    await publisher.call(1, 'confirm.select', { noWait: false })
    publisher.stopReading()
    const piece = messages(publisher, 64, 1024, 'nowhere', true)
    const sent = await flood(publisher, piece, FLOOD_BYTES, 10_000)
    expect(await broker.stillWorks()).toBe(true)
    broker.report('AMQP returns that nobody reads', sent)
    // It is not read from any more: the rest waits on its side.
    expect(sent).toBeLessThan(100 * MIB)
    expect(broker.worstRss).toBeLessThan(RSS_MAX)
    let returned = 0
    publisher.onMethod = ({ name }) => {
      if (name === 'basic.return') returned++
    }
    publisher.readAgain()
    // The answer comes after them; the last piece was under way when it was given up.
    await publisher.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 1, global: false })
    expect([sent / piece.length, sent / piece.length + 1]).toContain(returned / 64)
  })

  test('questions whose answers nobody reads', { timeout: 120_000 }, async () => {
    const client = await connect()
    client.stopReading()
    const question = client.methodBytes(1, 'exchange.declare', {
      exchange: 'amq.topic',
      type: 'topic',
      passive: true,
      durable: true,
      autoDelete: false,
      internal: false,
      noWait: false,
      arguments: {},
    })
    const sent = await flood(client, Buffer.concat(Array.from({ length: 1000 }, () => question)), FLOOD_BYTES, 10_000)
    expect(await broker.stillWorks()).toBe(true)
    broker.report('AMQP answers that nobody reads', sent)
    expect(broker.worstRss).toBeLessThan(RSS_MAX)
  })
})

test('low on memory, publishers are blocked and consumers go on, until there is more again', { timeout: 120_000 }, async () => {
  await start('--limits-memory-bytes-high=128MiB')
  const [publisher, consumer] = [await connect(), await connect()]
  const told: string[] = []
  publisher.onMethod = ({ name, args }) => void told.push('reason' in args ? `${name} ${args.reason}` : name)
  await publisher.call(1, 'queue.declare', { ...declaration, queue: 'flood', arguments: { 'x-queue-type': 'stream' } })
  await flood(publisher, messages(publisher, 64, 1024), 16 * MIB, 30_000)
  await publisher.call(1, 'queue.declare', { ...declaration, queue: 'mail' })
  for (let n = 0; n < 100; n++) await publisher.write(publisher.messageBytes('mail', `${n}`))
  await until('all are there', async () => (await depth(publisher, 'mail')) === 100)
  // What waits for those who do not read takes memory.
  const idle: AmqpSocket[] = []
  while (told.length === 0 && idle.length < 200) {
    const reader = await connect()
    idle.push(reader)
    await reader.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 65_535, global: false })
    const fromTheBeginning = { ...consumption, queue: 'flood', arguments: { 'x-stream-offset': 'first' } }
    await reader.call(1, 'basic.consume', fromTheBeginning)
    reader.stopReading()
    await sleep(20)
  }
  await until('the publisher is blocked', () => told.length > 0)
  expect(told).toEqual(['connection.blocked low on memory'])
  const bodies: string[] = []
  consumer.onDelivery = ({ tag, body }) => {
    bodies.push(body)
    consumer.send(1, 'basic.ack', { deliveryTag: tag, multiple: false })
  }
  await publisher.write(publisher.messageBytes('mail', 'while blocked'))
  await consumer.call(1, 'basic.consume', { ...consumption, queue: 'mail' })
  await until('the consumer has all', () => bodies.length === 100)
  await sleep(200)
  expect([bodies.length, told.length]).toEqual([100, 1])
  for (const reader of idle) reader.destroy()
  await until('the publisher may go on', () => told.length > 1, 60_000)
  expect(told[1]).toBe('connection.unblocked')
  await until('what it sent is taken', () => bodies.at(-1) === 'while blocked')
})
