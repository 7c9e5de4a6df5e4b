import { EventEmitter, once } from 'node:events'
import { Connection } from 'rabbitmq-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AmqpServer } from './amqp-server.ts'

let server: AmqpServer
let rabbit: Connection

beforeAll(async () => {
  server = await AmqpServer.start()
  rabbit = new Connection(server.url)
  rabbit.on('error', () => {})
  await rabbit.onConnect()
})

afterAll(async () => {
  await rabbit.close()
  await server.stop()
})

describe('rabbitmq-client', () => {
  test('publishes with confirms and consumes', async () => {
    const got: unknown[] = []
    const all = new EventEmitter()
    const done = once(all, 'done')
    const consumer = rabbit.createConsumer(
      { queue: 'jobs', queueOptions: { durable: true }, qos: { prefetchCount: 2 } },
      async (message) => {
        got.push(message.body)
        if (got.length === 5) all.emit('done')
      },
    )
    const publisher = rabbit.createPublisher({ confirm: true, maxAttempts: 2 })
    for (let n = 0; n < 5; n++) await publisher.send('jobs', { n })
    await done
    expect(got).toEqual([0, 1, 2, 3, 4].map((n) => ({ n })))
    await publisher.close()
    await consumer.close()
  })

  test('confirms of publishes before an error arrive before it', async () => {
    const channel = await rabbit.acquire()
    await channel.queueDeclare({ queue: 'confirmed' })
    await channel.confirmSelect()
    const outcomes = await Promise.allSettled([
      channel.basicPublish({ routingKey: 'confirmed' }, 'a'),
      channel.basicPublish({ exchange: '__missing__' }, 'b'),
      channel.basicPublish({ routingKey: 'confirmed' }, 'c'),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect((outcomes[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'NOT_FOUND' })
    expect((outcomes[2] as PromiseRejectedResult).reason).toMatchObject({ code: 'CH_CLOSE' })
  })

  test('commits and rolls back', async () => {
    const channel = await rabbit.acquire()
    await channel.queueDeclare({ queue: 'tx' })
    await channel.txSelect()
    await channel.basicPublish('tx', 'a')
    await channel.txRollback()
    await channel.basicPublish('tx', 'b')
    await channel.txCommit()
    const message = await channel.basicGet({ queue: 'tx' })
    expect(message?.body).toBe('b')
    channel.basicAck({ deliveryTag: message!.deliveryTag })
    await channel.txCommit()
    expect(await channel.basicGet({ queue: 'tx' })).toBeUndefined()
    await channel.close()
  })

  test('calls a server', async () => {
    const echo = rabbit.createConsumer({ queue: 'echo' }, async (request, reply) => {
      await reply(`${String(request.body)}!`)
    })
    await new Promise((resolve) => echo.once('ready', resolve))
    const client = rabbit.createRPCClient({ confirm: true })
    const { body } = await client.send('echo', 'hello')
    expect(body).toBe('hello!')
    await client.close()
    await echo.close()
  })
})
