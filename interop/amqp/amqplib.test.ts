import { type Channel, type ChannelModel, type ConfirmChannel, connect, type ConsumeMessage, type GetMessage } from 'amqplib'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AmqpServer } from './amqp-server.ts'

let server: AmqpServer
let connection: ChannelModel
let channel: ConfirmChannel

beforeAll(async () => {
  server = await AmqpServer.start()
})

afterAll(() => server.stop())

beforeEach(async () => {
  connection = await connect(server.url)
  connection.on('error', () => {})
  channel = await connection.createConfirmChannel()
})

afterEach(() => connection.close().catch(() => {}))

/** The next message of a queue. */
async function next(from: Channel, queue: string): Promise<GetMessage> {
  for (;;) {
    const message = await from.get(queue, { noAck: true })
    if (message !== false) return message
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** So many messages of a queue, as a consumer gets them. */
async function consume(from: Channel, queue: string, count: number, options = {}): Promise<ConsumeMessage[]> {
  const messages: ConsumeMessage[] = []
  return new Promise((resolve, reject) => {
    from
      .consume(
        queue,
        (message) => {
          if (message === null) return reject(new Error('the consumer was cancelled'))
          messages.push(message)
          if (messages.length === count) resolve(messages)
        },
        options,
      )
      .catch(reject)
  })
}

const texts = (messages: readonly ConsumeMessage[]): string[] => messages.map(({ content }) => content.toString())

describe('amqplib', () => {
  test('publishes with confirms, and gets back all that a message says of itself', async () => {
    const { queue } = await channel.assertQueue('', { exclusive: true })
    expect(queue).toMatch(/^amq\.gen-/)
    const properties = {
      contentType: 'text/plain',
      contentEncoding: 'utf-8',
      headers: { text: 'a', count: 7, big: 2 ** 40, yes: true, none: null, nested: { list: [1, 'b'] }, raw: Buffer.from([1, 2]) },
      deliveryMode: 2,
      priority: 3,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '60000',
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 't',
      userId: 'guest',
      appId: 'app',
    }
    channel.publish('', queue, Buffer.from('body'), properties)
    await channel.waitForConfirms()
    const message = await next(channel, queue)
    expect(message.content.toString()).toBe('body')
    expect(message.properties).toMatchObject(properties)
    expect(message.fields).toMatchObject({ exchange: '', routingKey: queue, redelivered: false })
  })

  test('routes by topic, and gets back what nothing takes', async () => {
    await channel.assertExchange('events', 'topic')
    await channel.assertQueue('paid')
    await channel.bindQueue('paid', 'events', 'orders.*.paid')
    const returned = new Promise<string>((resolve) => channel.once('return', (message) => resolve(message.content.toString())))
    channel.publish('events', 'orders.1.paid', Buffer.from('yes'))
    channel.publish('events', 'orders.1.sent', Buffer.from('no'), { mandatory: true })
    await channel.waitForConfirms()
    expect(await returned).toBe('no')
    expect((await next(channel, 'paid')).fields).toMatchObject({ exchange: 'events', routingKey: 'orders.1.paid' })
  })

  test('gets errors where RabbitMQ has them', async () => {
    const other = await connection.createChannel()
    const failed = new Promise<Error>((resolve) => other.once('error', resolve))
    await expect(other.checkQueue('nowhere')).rejects.toThrow(/404/)
    expect(await failed).toMatchObject({ code: 404, classId: 50, methodId: 10 })
  })

  test('shares work between consumers, and takes back what one of them held', async () => {
    await channel.assertQueue('work')
    const other = await connection.createChannel()
    await channel.prefetch(1)
    await other.prefetch(1)
    const first = consume(channel, 'work', 1)
    const second = consume(other, 'work', 1)
    for (const text of ['a', 'b', 'c']) channel.sendToQueue('work', Buffer.from(text))
    await channel.waitForConfirms()
    const [mine] = await first
    expect(texts([...(await first), ...(await second)]).toSorted()).toEqual(['a', 'b'])
    await other.close()
    channel.ack(mine!)
    const messages = await consume(await connection.createChannel(), 'work', 1)
    expect(messages).toHaveLength(1)
  })

  test('commits transactions', async () => {
    await channel.assertQueue('tx')
    const raw = await connection.createChannel()
    // amqplib has no methods for them.
    const rpc = (raw as unknown as { rpc(id: number, args: object, expect: number): Promise<void> }).rpc.bind(raw)
    await rpc(0x5a_000a, {}, 0x5a_000b)
    raw.sendToQueue('tx', Buffer.from('a'))
    expect((await channel.checkQueue('tx')).messageCount).toBe(0)
    await rpc(0x5a_0014, {}, 0x5a_0015)
    expect((await channel.checkQueue('tx')).messageCount).toBe(1)
    raw.sendToQueue('tx', Buffer.from('b'))
    await rpc(0x5a_001e, {}, 0x5a_001f)
    expect((await channel.checkQueue('tx')).messageCount).toBe(1)
  })

  test('serves priorities first', async () => {
    await channel.assertQueue('priorities', { maxPriority: 5 })
    for (const priority of [1, 5, 3]) channel.sendToQueue('priorities', Buffer.from(String(priority)), { priority })
    await channel.waitForConfirms()
    expect(texts(await consume(channel, 'priorities', 3))).toEqual(['5', '3', '1'])
  })

  test('loses what is too old', async () => {
    await channel.assertQueue('short', { messageTtl: 20 })
    channel.sendToQueue('short', Buffer.from('a'))
    await channel.waitForConfirms()
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await channel.get('short')).toBe(false)
  })

  test('calls a server by direct replies', async () => {
    await channel.assertQueue('rpc')
    await channel.consume(
      'rpc',
      (request) => {
        const { replyTo, correlationId } = request!.properties as { replyTo: string; correlationId: string }
        channel.sendToQueue(replyTo, Buffer.from(`${request!.content.toString()}!`), { correlationId })
        channel.ack(request!)
      },
      {},
    )
    const client = await connection.createChannel()
    const answer = consume(client, 'amq.rabbitmq.reply-to', 1, { noAck: true })
    await new Promise((resolve) => setTimeout(resolve, 20))
    client.sendToQueue('rpc', Buffer.from('hello'), { replyTo: 'amq.rabbitmq.reply-to', correlationId: '9' })
    const [reply] = await answer
    expect([reply!.content.toString(), reply!.properties.correlationId]).toEqual(['hello!', '9'])
  })

  test('reads streams from any place', async () => {
    await channel.assertQueue('stream', { arguments: { 'x-queue-type': 'stream' } })
    for (let n = 0; n < 5; n++) channel.sendToQueue('stream', Buffer.from(String(n)))
    await channel.waitForConfirms()
    const reader = await connection.createChannel()
    await reader.prefetch(10)
    const all = await consume(reader, 'stream', 5, { arguments: { 'x-stream-offset': 'first' } })
    expect(texts(all)).toEqual(['0', '1', '2', '3', '4'])
    const some = await consume(reader, 'stream', 2, { arguments: { 'x-stream-offset': 3 } })
    expect(texts(some)).toEqual(['3', '4'])
    expect(some[0]!.properties.headers).toMatchObject({ 'x-stream-offset': 3 })
  })

  test('carries large messages', async () => {
    const { queue } = await channel.assertQueue('')
    const body = Buffer.alloc(3_000_000, 7)
    channel.sendToQueue(queue, body)
    await channel.waitForConfirms()
    expect((await next(channel, queue)).content.equals(body)).toBe(true)
  })
})

describe('other doors', () => {
  test('read by HTTP and the native protocol what was published over AMQP', async () => {
    await channel.assertQueue('to-http')
    await channel.assertQueue('to-native')
    for (const queue of ['to-http', 'to-native'])
      channel.sendToQueue(queue, Buffer.from('hi'), { contentType: 'text/plain', headers: { a: 'b' } })
    await channel.waitForConfirms()
    const response = await fetch(`${server.httpUrl}/v1/queues/to-http/messages/receive?max=1`, { method: 'POST' })
    const { messages } = (await response.json()) as { messages: { body: string; headers: Record<string, string> }[] }
    expect(messages[0]).toMatchObject({ body: 'hi', headers: { 'content-type': 'text/plain', a: 'b' } })
    const [message] = await server.native.queue('to-native').pull({ waitMs: 1000 })
    expect(message!.text()).toBe('hi')
  })

  test('publish what is consumed over AMQP', async () => {
    await channel.assertQueue('from-http')
    await server.native.queue('from-http').publish('native', { headers: { 'x-from': 'native', 'content-type': 'text/x' } })
    const message = await next(channel, 'from-http')
    expect(message.content.toString()).toBe('native')
    expect(message.properties).toMatchObject({ contentType: 'text/x', headers: { 'x-from': 'native' } })
  })

  test('share a topic with Kafka, which is a stream here', async () => {
    await channel.assertQueue('shared', { arguments: { 'x-queue-type': 'stream' } })
    await channel.assertExchange('into', 'direct')
    await channel.bindQueue('shared', 'into', 'key-1')
    channel.publish('into', 'key-1', Buffer.from('by AMQP'))
    await channel.waitForConfirms()
    const kafka = new Kafka({ brokers: [...server.kafkaBrokers], logLevel: logLevel.NOTHING })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic: 'shared', messages: [{ key: 'key-2', value: 'by Kafka' }] })
    await producer.disconnect()
    await channel.prefetch(10)
    const messages = await consume(channel, 'shared', 2, { arguments: { 'x-stream-offset': 'first' } })
    expect(messages.map(({ content, fields }) => [content.toString(), fields.exchange, fields.routingKey])).toEqual([
      ['by AMQP', 'into', 'key-1'],
      ['by Kafka', '', 'key-2'],
    ])
  })
})
