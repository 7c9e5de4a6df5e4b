import { type ConfirmChannel, connect, type ConsumeMessage } from 'amqplib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AmqpServer } from './amqp-server.ts'

let server: AmqpServer
let channel: ConfirmChannel
let disconnect: () => Promise<void>

beforeAll(async () => {
  server = await AmqpServer.start()
  const connection = await connect(server.url)
  disconnect = () => connection.close()
  channel = await connection.createConfirmChannel()
})

afterAll(async () => {
  await disconnect()
  await server.stop()
})

async function publish(queue: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) channel.sendToQueue(queue, Buffer.from('m'))
  await channel.waitForConfirms()
}

/** One delivery of a queue, after which nothing more is asked for. */
async function take(queue: string, noAck: boolean): Promise<ConsumeMessage> {
  await channel.prefetch(1)
  const message = await new Promise<ConsumeMessage | null>((resolve, reject) => {
    channel.consume(queue, resolve, { noAck, consumerTag: 'once' }).catch(reject)
  })
  await channel.cancel('once')
  return message!
}

test('of consumers of a queue for one alone the others wait', async () => {
  await channel.assertQueue('single', { arguments: { 'x-single-active-consumer': true } })
  await channel.assertQueue('shared')
  await channel.consume('single', () => {}, { consumerTag: 'first' })
  await channel.consume('single', () => {}, { consumerTag: 'second' })
  await channel.consume('shared', () => {}, { consumerTag: 'other' })
  const activity = async (): Promise<unknown> => {
    const consumers = (await server.management('GET', '/consumers')) as readonly Record<string, unknown>[]
    return Object.fromEntries(consumers.map(({ consumer_tag: tag, active, activity_status: status }) => [tag, [active, status]]))
  }
  const single = [true, 'single_active']
  expect(await activity()).toEqual({ first: single, second: [false, 'waiting'], other: [true, 'up'] })
  expect(await server.management('GET', '/queues/%2F/single')).toMatchObject({ single_active_consumer_tag: 'first' })
  await channel.cancel('first')
  expect(await activity()).toEqual({ second: single, other: [true, 'up'] })
  expect(await server.management('GET', '/queues/%2F/single')).toMatchObject({ single_active_consumer_tag: 'second' })
})

test('a queue tells how its messages were taken', async () => {
  await channel.assertQueue('counted')
  await publish('counted', 4)
  channel.nack(await take('counted', false))
  channel.ack(await take('counted', false))
  const got = await channel.get('counted')
  if (got !== false) channel.ack(got)
  await channel.get('counted', { noAck: true })
  await take('counted', true)
  expect(await channel.get('counted')).toBe(false)
  // Answers come in order: what was settled before counts.
  await channel.checkQueue('counted')
  const { message_stats: stats } = (await server.management('GET', '/queues/%2F/counted')) as {
    readonly message_stats: Readonly<Record<string, unknown>>
  }
  const counts = {
    publish: 4,
    deliver: 2,
    deliver_no_ack: 1,
    get: 1,
    get_no_ack: 1,
    get_empty: 1,
    deliver_get: 5,
    ack: 2,
    redeliver: 1,
  }
  expect(stats).toMatchObject(counts)
  for (const name of Object.keys(counts)) expect(stats[`${name}_details`]).toEqual({ rate: 0 })
})
