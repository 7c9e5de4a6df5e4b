import { type Channel, type ChannelModel, connect } from 'amqplib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { AmqpServer } from './amqp-server.ts'

let server: AmqpServer
let connection: ChannelModel
let channel: Channel

beforeAll(async () => {
  server = await AmqpServer.start()
})

afterAll(() => server.stop())

beforeEach(async () => {
  connection = await connect(server.url)
  channel = await connection.createChannel()
})

afterEach(() => connection.close())

/** The server of the tutorial: answers what comes to the queue `rpc`. */
async function answerCalls(): Promise<void> {
  await channel.assertQueue('rpc', { durable: false })
  await channel.consume('rpc', (message) => {
    const { replyTo, correlationId } = message!.properties
    channel.sendToQueue(replyTo as string, Buffer.from(`${message!.content.toString()}!`), {
      correlationId: correlationId as string,
    })
    channel.ack(message!)
  })
}

function postToCalls(path: string, body: string): Promise<Response> {
  return fetch(`${server.httpUrl}/v1/queues/calls/messages/${path}`, { method: 'POST', body })
}

/** A queue of its own for what an exchange passes on by these keys, and what came to it so far. */
async function listen(exchange: string, keys: readonly string[]): Promise<string[]> {
  const { queue } = await channel.assertQueue('', { exclusive: true })
  for (const key of keys) await channel.bindQueue(queue, exchange, key)
  const got: string[] = []
  await channel.consume(queue, (message) => got.push(message!.content.toString()), { noAck: true })
  return got
}

describe("the flows of RabbitMQ's tutorials", () => {
  test('a queue', async () => {
    await channel.assertQueue('hello', { durable: false })
    channel.sendToQueue('hello', Buffer.from('Hello'))
    await vi.waitFor(() => expect(server.broker.queue('hello')).toMatchObject({ ready: 1 }))
    const got: string[] = []
    await channel.consume('hello', (message) => got.push(message!.content.toString()), { noAck: true })
    await vi.waitFor(() => expect(got).toEqual(['Hello']))
  })

  test('workers share tasks; what one did not finish goes to another', async () => {
    await channel.assertQueue('tasks', { durable: true })
    const lazy = await connect(server.url)
    const lazyChannel = await lazy.createChannel()
    await lazyChannel.prefetch(1)
    const held: string[] = []
    await lazyChannel.consume('tasks', (message) => held.push(message!.content.toString()))
    for (const task of ['a', 'b', 'c']) channel.sendToQueue('tasks', Buffer.from(task), { persistent: true })
    await vi.waitFor(() => expect(held).toEqual(['a']))
    await channel.prefetch(1)
    const done: string[] = []
    await channel.consume('tasks', (message) => {
      done.push(message!.content.toString())
      channel.ack(message!)
    })
    await vi.waitFor(() => expect(done).toEqual(['b', 'c']))
    await lazy.close()
    await vi.waitFor(() => expect(done).toEqual(['b', 'c', 'a']))
    await vi.waitFor(() => expect(server.broker.queue('tasks')).toMatchObject({ ready: 0, inFlight: 0 }))
  })

  test('publish and subscribe, routing, topics', async () => {
    await channel.assertExchange('logs', 'fanout', { durable: false })
    await channel.assertExchange('direct_logs', 'direct', { durable: false })
    await channel.assertExchange('topic_logs', 'topic', { durable: false })
    const everybody = [await listen('logs', ['']), await listen('logs', [''])]
    const errors = await listen('direct_logs', ['error'])
    const kernel = await listen('topic_logs', ['kern.*', '*.critical'])
    channel.publish('logs', '', Buffer.from('news'))
    for (const key of ['info', 'error']) channel.publish('direct_logs', key, Buffer.from(key))
    for (const key of ['kern.info', 'app.info', 'app.critical', 'kern.critical'])
      channel.publish('topic_logs', key, Buffer.from(key))
    await vi.waitFor(() => expect(kernel).toEqual(['kern.info', 'app.critical', 'kern.critical']))
    await vi.waitFor(() => expect([...everybody, errors]).toEqual([['news'], ['news'], ['error']]))
  })

  test('calls', async () => {
    await answerCalls()
    const replies: unknown[] = []
    const replyTo = 'amq.rabbitmq.reply-to'
    const caller = await connection.createChannel()
    await caller.consume(replyTo, (reply) => replies.push([reply!.properties.correlationId, reply!.content.toString()]), {
      noAck: true,
    })
    caller.sendToQueue('rpc', Buffer.from('15'), { correlationId: 'c', replyTo })
    await vi.waitFor(() => expect(replies).toEqual([['c', '15!']]))
  })

  test('calls of other doors', async () => {
    await answerCalls()
    expect((await server.native.request('queue:rpc', '16', { timeoutMs: 10_000 })).text()).toBe('16!')
    const answer = await fetch(`${server.httpUrl}/v1/queues/rpc/requests`, { method: 'POST', body: '17' })
    expect(await answer.json()).toMatchObject({ body: '17!' })
  })

  test('calls that are answered by another door', async () => {
    const { queue: replyTo } = await channel.assertQueue('', { exclusive: true })
    const replies: unknown[] = []
    await channel.consume(replyTo, (reply) => replies.push([reply!.properties.correlationId, reply!.content.toString()]), {
      noAck: true,
    })
    await channel.assertQueue('calls')
    channel.sendToQueue('calls', Buffer.from('18'), { correlationId: 'c', replyTo })
    const { messages } = (await (await postToCalls('receive?waitMs=10000', '')).json()) as { messages: [{ handle: string }] }
    expect((await postToCalls(`${messages[0].handle}/reply`, '18!')).status).toBe(201)
    await vi.waitFor(() => expect(replies).toEqual([['c', '18!']]))
  })
})
