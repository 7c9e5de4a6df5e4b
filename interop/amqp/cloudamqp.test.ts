import { AMQPClient, AMQPError, type AMQPMessage, AMQPWebSocketClient } from '@cloudamqp/amqp-client'
import { WebSocket } from 'ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AmqpServer } from './amqp-server.ts'

let server: AmqpServer

beforeAll(async () => {
  // Node has one of its own from 22 on.
  globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket
  server = await AmqpServer.start()
})

afterAll(() => server.stop())

describe.each([
  ['TCP', (): AMQPClient => new AMQPClient(server.url)],
  [
    'a WebSocket',
    (): AMQPWebSocketClient => new AMQPWebSocketClient(`${server.httpUrl.replace('http', 'ws')}/ws`, '/', 'guest', 'guest'),
  ],
])('@cloudamqp/amqp-client over %s', (name, client) => {
  test('publishes and consumes', async () => {
    const connection = await client().connect()
    const channel = await connection.channel()
    await channel.confirmSelect()
    const { name: queue } = await channel.queueDeclare(`cloud ${name}`)
    for (const text of ['a', 'b', 'c']) await channel.basicPublish('', queue, text, { deliveryMode: 2, headers: { text } })
    const messages: AMQPMessage[] = []
    await new Promise<void>((resolve) => {
      void channel.basicConsume(queue, { noAck: false }, async (message) => {
        messages.push(message)
        await message.ack()
        if (messages.length === 3) resolve()
      })
    })
    expect(messages.map((message) => message.bodyString())).toEqual(['a', 'b', 'c'])
    expect(messages[0]!.properties).toMatchObject({ deliveryMode: 2, headers: { text: 'a' } })
    await connection.updateSecret('new', 'because')
    await connection.close()
  })
})

test('what is no AMQP is told so', async () => {
  await expect(new AMQPClient(server.httpUrl.replace('http', 'amqp')).connect()).rejects.toThrow(AMQPError)
})
