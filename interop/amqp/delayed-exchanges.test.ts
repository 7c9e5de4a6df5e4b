import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConfirmChannel, connect, type GetMessage } from 'amqplib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AmqpServer } from './amqp-server.ts'

const delayed = { arguments: { 'x-delayed-type': 'direct' } }
let directory: string
let server: AmqpServer
let channel: ConfirmChannel
let disconnect: () => Promise<void>

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-delayed-'))
  await start()
  await channel.assertExchange('later', 'x-delayed-message', delayed)
  await channel.assertQueue('due')
  await channel.bindQueue('due', 'later', 'k')
})

afterEach(async () => {
  await stop()
  rmSync(directory, { recursive: true })
})

async function start(): Promise<void> {
  server = await AmqpServer.start({ engine: 'disk', data: directory })
  const connection = await connect(server.url)
  disconnect = () => connection.close()
  channel = await connection.createConfirmChannel()
}

async function stop(): Promise<void> {
  await disconnect()
  await server.stop()
}

async function send(text: string, delayMs?: number): Promise<void> {
  const headers = delayMs === undefined ? {} : { 'x-delay': delayMs }
  channel.publish('later', 'k', Buffer.from(text), { headers, mandatory: true, messageId: text })
  await channel.waitForConfirms()
}

async function next(): Promise<GetMessage> {
  for (;;) {
    const message = await channel.get('due', { noAck: true })
    if (message !== false) return message
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('a message with a delay comes when it is over, behind those that came without', async () => {
  const startMs = performance.now()
  await send('late', 400)
  await send('early', 200)
  await send('now')
  expect(performance.now() - startMs).toBeLessThan(200)
  expect((await next()).content.toString()).toBe('now')
  expect(await channel.get('due')).toBe(false)
  const early = await next()
  expect(early.content.toString()).toBe('early')
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(200)
  expect(early.fields).toMatchObject({ exchange: 'later', routingKey: 'k' })
  expect(early.properties).toMatchObject({ messageId: 'early', headers: { 'x-delay': -200 } })
  expect((await next()).content.toString()).toBe('late')
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(400)
})

test('a message that waits is there after a restart, and its exchange is the same', async () => {
  await send('late', 1500)
  const sentMs = performance.now()
  await stop()
  await start()
  await channel.assertExchange('later', 'x-delayed-message', delayed)
  expect(await channel.get('due')).toBe(false)
  expect((await next()).content.toString()).toBe('late')
  expect(performance.now() - sentMs).toBeGreaterThanOrEqual(1400)
})

test('a dead letter waits in a delayed exchange, unless it has waited before', async () => {
  await channel.assertQueue('work', { deadLetterExchange: 'later', deadLetterRoutingKey: 'k' })
  const buried = async (headers: Readonly<Record<string, unknown>>): Promise<GetMessage> => {
    channel.sendToQueue('work', Buffer.from('letter'), { headers })
    await channel.waitForConfirms()
    channel.reject((await channel.get('work')) as GetMessage, false)
    return next()
  }
  const startMs = performance.now()
  const { content, properties } = await buried({ 'x-delay': 1500 })
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(1500)
  expect(content.toString()).toBe('letter')
  expect(properties.headers).toMatchObject({ 'x-delay': -1500, 'x-death': [{ queue: 'work', reason: 'rejected', count: 1 }] })
  const againMs = performance.now()
  expect((await buried(properties.headers!)).properties.headers).toMatchObject({ 'x-delay': -1500 })
  expect(performance.now() - againMs).toBeLessThan(1500)
})
