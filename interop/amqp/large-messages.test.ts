import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConfirmChannel, connect, type ConsumeMessage } from 'amqplib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AmqpServer } from './amqp-server.ts'

/** What RabbitMQ 4 takes by default. */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024
const directory = mkdtempSync(join(tmpdir(), 'millrace-large-'))
const body = randomBytes(MESSAGE_BYTES_MAX)
const headers = { text: 'x'.repeat(60_000), number: 7 }
let server: AmqpServer
let channel: ConfirmChannel
let disconnect: () => Promise<void>

beforeAll(async () => {
  server = await AmqpServer.start({ engine: 'disk', data: directory })
  const connection = await connect(server.url)
  disconnect = () => connection.close()
  channel = await connection.createConfirmChannel()
  channel.on('error', () => {})
})

afterAll(async () => {
  await disconnect()
  await server.stop()
  rmSync(directory, { recursive: true })
})

async function first(queue: string, args: object = {}): Promise<ConsumeMessage> {
  const message = await new Promise<ConsumeMessage | null>((resolve, reject) => {
    channel.consume(queue, resolve, { consumerTag: queue, arguments: args }).catch(reject)
  })
  await channel.cancel(queue)
  return message!
}

test('messages of 16 MiB go through queues, dead letters, delayed exchanges and streams, and larger ones end the channel', async () => {
  await channel.prefetch(10)
  await channel.assertExchange('later', 'x-delayed-message', { arguments: { 'x-delayed-type': 'fanout' } })
  await channel.assertQueue('large', { deadLetterExchange: '', deadLetterRoutingKey: 'dead' })
  await channel.assertQueue('dead')
  await channel.assertQueue('stream', { arguments: { 'x-queue-type': 'stream' } })
  for (const queue of ['large', 'stream']) await channel.bindQueue(queue, 'later', '')
  channel.publish('later', '', body, { headers: { ...headers, 'x-delay': 50 } })
  await channel.waitForConfirms()

  const consumed = await first('large')
  channel.nack(consumed, false, true)
  const got = await channel.get('large', { noAck: false })
  expect(got).toMatchObject({ fields: { redelivered: true } })
  if (got !== false) channel.nack(got, false, false)
  const dead = await first('dead')
  const streamed = await first('stream', { 'x-stream-offset': 'first' })
  for (const message of [consumed, got, dead, streamed]) {
    expect(message).toMatchObject({ properties: { headers } })
    expect(body.equals((message as ConsumeMessage).content)).toBe(true)
  }

  channel.sendToQueue('dead', Buffer.alloc(MESSAGE_BYTES_MAX + 1))
  await expect(channel.waitForConfirms()).rejects.toThrow('channel closed')
})
