import { EventEmitter, once } from 'node:events'
import { type ChannelModel, type ConfirmChannel, connect, type GetMessage } from 'amqplib'
import { Connection } from 'rabbitmq-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AmqpServer } from './amqp-server.ts'

let server: AmqpServer

beforeAll(async () => {
  server = await AmqpServer.start()
})

afterAll(() => server.stop())

/** What the newest death says, without its time. */
interface Death {
  readonly queue: string
  readonly reason: string
  readonly count: number
  readonly exchange: string
  readonly 'routing-keys': readonly string[]
}

function deaths(headers: Readonly<Record<string, unknown>> | undefined): readonly Death[] {
  return headers!['x-death'] as readonly Death[]
}

describe('amqplib', () => {
  let connection: ChannelModel
  let channel: ConfirmChannel

  beforeEach(async () => {
    connection = await connect(server.url)
    channel = await connection.createConfirmChannel()
    await channel.assertExchange('dlx', 'topic')
    await channel.assertQueue('dead')
    await channel.purgeQueue('dead')
    await channel.bindQueue('dead', 'dlx', '#')
  })

  afterEach(() => connection.close())

  async function next(queue: string, options: { readonly noAck: boolean }): Promise<GetMessage> {
    for (;;) {
      const message = await channel.get(queue, options)
      if (message !== false) return message
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async function send(queue: string, text: string, options = {}): Promise<void> {
    channel.sendToQueue(queue, Buffer.from(text), options)
    await channel.waitForConfirms()
  }

  test('what expires goes through the exchange to the dead letters', async () => {
    await channel.assertQueue('short', { messageTtl: 50, deadLetterExchange: 'dlx' })
    await send('short', 'a')
    const { content, fields, properties } = await next('dead', { noAck: true })
    expect([content.toString(), fields.exchange, fields.routingKey]).toEqual(['a', 'dlx', 'short'])
    expect(deaths(properties.headers)).toMatchObject([
      { queue: 'short', reason: 'expired', count: 1, exchange: '', 'routing-keys': ['short'] },
    ])
    expect(properties.headers).toMatchObject({
      'x-first-death-queue': 'short',
      'x-first-death-reason': 'expired',
      'x-first-death-exchange': '',
    })
  })

  test('so does what has an expiration of its own, which is gone then', async () => {
    await channel.assertQueue('own', { deadLetterExchange: 'dlx' })
    await send('own', 'a', { expiration: '40' })
    const { properties } = await next('dead', { noAck: true })
    expect(properties.expiration).toBeUndefined()
    expect(deaths(properties.headers)).toMatchObject([{ queue: 'own', reason: 'expired', 'original-expiration': '40' }])
  })

  test('so does what is rejected, with the key that the queue says', async () => {
    await channel.assertQueue('work', { deadLetterExchange: 'dlx', deadLetterRoutingKey: 'failed.work' })
    await send('work', 'a', { headers: { attempt: 7 } })
    channel.reject(await next('work', { noAck: false }), false)
    const { fields, properties } = await next('dead', { noAck: true })
    expect(fields).toMatchObject({ exchange: 'dlx', routingKey: 'failed.work' })
    expect(properties.headers).toMatchObject({ attempt: 7 })
    expect(deaths(properties.headers)).toMatchObject([{ queue: 'work', reason: 'rejected', 'routing-keys': ['work'] }])
  })

  test('so does what was delivered too often', async () => {
    const settings = { deadLetterExchange: 'dlx', arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 2 } }
    await channel.assertQueue('poison', settings)
    await send('poison', 'a')
    const told: unknown[] = []
    for (let n = 0; n < 3; n++) {
      const message = await next('poison', { noAck: false })
      const headers = message.properties.headers!
      told.push([message.fields.redelivered, headers['x-delivery-count'], headers['x-acquired-count']])
      channel.nack(message, false, true)
    }
    expect(told).toEqual([
      [false, undefined, undefined],
      [true, 1, 1],
      [true, 2, 2],
    ])
    const { properties } = await next('dead', { noAck: true })
    for (const name of ['x-delivery-count', 'x-acquired-count']) expect(properties.headers).not.toHaveProperty(name)
    expect(deaths(properties.headers)).toMatchObject([{ queue: 'poison', reason: 'delivery_limit', count: 1 }])
  })

  test('so does what a full queue refuses, and its publisher hears that', async () => {
    await channel.assertQueue('full', {
      maxLength: 1,
      deadLetterExchange: 'dlx',
      arguments: { 'x-overflow': 'reject-publish-dlx' },
    })
    await send('full', 'first')
    await expect(send('full', 'second')).rejects.toThrow(/nacked/)
    const { content, properties } = await next('dead', { noAck: true })
    expect(content.toString()).toBe('second')
    expect(deaths(properties.headers)).toMatchObject([{ queue: 'full', reason: 'maxlen' }])
    expect((await channel.checkQueue('full')).messageCount).toBe(1)
  })

  test('they go by the keys in CC as well, and tell them, but not by BCC', async () => {
    await channel.assertExchange('letters', 'direct')
    await channel.assertQueue('copied', { deadLetterExchange: 'letters' })
    for (const queue of ['own', 'copy', 'blind']) {
      await channel.assertQueue(`${queue} letters`)
      await channel.bindQueue(`${queue} letters`, 'letters', queue === 'own' ? 'copied' : queue)
    }
    await send('copied', 'a', { CC: ['copy'], BCC: ['blind'] })
    channel.reject(await next('copied', { noAck: false }), false)
    for (const queue of ['own', 'copy']) {
      const { fields, properties } = await next(`${queue} letters`, { noAck: true })
      expect(fields).toMatchObject({ exchange: 'letters', routingKey: 'copied' })
      expect(properties.headers).toMatchObject({ CC: ['copy'] })
      expect(properties.headers).not.toHaveProperty('BCC')
      expect(deaths(properties.headers)).toMatchObject([{ queue: 'copied', 'routing-keys': ['copied', 'copy'] }])
    }
    expect(await channel.get('blind letters')).toBe(false)
  })

  test('what waits and comes back counts its deaths', async () => {
    await channel.assertQueue('wait', { messageTtl: 20, deadLetterExchange: '', deadLetterRoutingKey: 'retry' })
    await channel.assertQueue('retry', { deadLetterExchange: '', deadLetterRoutingKey: 'wait' })
    await send('retry', 'a')
    for (let n = 0; n < 2; n++) channel.reject(await next('retry', { noAck: false }), false)
    const { fields, properties } = await next('retry', { noAck: true })
    expect(fields).toMatchObject({ exchange: '', routingKey: 'retry' })
    expect(deaths(properties.headers)).toMatchObject([
      { queue: 'wait', reason: 'expired', count: 2 },
      { queue: 'retry', reason: 'rejected', count: 2 },
    ])
  })
})

describe('rabbitmq-client', () => {
  test('drops to the dead letters what its handler fails on', async () => {
    const rabbit = new Connection(server.url)
    await rabbit.onConnect()
    const letters = new EventEmitter()
    const letter = once(letters, 'letter') as Promise<[readonly Death[]]>
    const dead = rabbit.createConsumer(
      {
        queue: 'failed',
        exchanges: [{ exchange: 'failures', type: 'fanout' }],
        queueBindings: [{ exchange: 'failures' }],
      },
      (message) => void letters.emit('letter', deaths(message.headers)),
    )
    const worker = rabbit.createConsumer(
      { queue: 'tasks', requeue: false, queueOptions: { arguments: { 'x-dead-letter-exchange': 'failures' } } },
      () => Promise.reject(new Error('it cannot be done')),
    )
    const failed = once(worker, 'error') as Promise<[Error]>
    await Promise.all([dead, worker].map((consumer) => once(consumer, 'ready')))
    const publisher = rabbit.createPublisher({ confirm: true })
    await publisher.send('tasks', 'a')
    expect((await failed)[0]).toMatchObject({ message: 'it cannot be done' })
    expect((await letter)[0]).toMatchObject([{ queue: 'tasks', reason: 'rejected', count: 1, exchange: '' }])
    await publisher.close()
    await worker.close()
    await dead.close()
    await rabbit.close()
  })
})
