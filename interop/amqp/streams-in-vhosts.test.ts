import { type ConfirmChannel, connect, type ConsumeMessage } from 'amqplib'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AmqpServer } from './amqp-server.ts'

let server: AmqpServer

beforeAll(async () => {
  server = await AmqpServer.start()
})

afterAll(() => server.stop())

async function readFirst(channel: ConfirmChannel, queue: string, count: number): Promise<string[]> {
  await channel.prefetch(10)
  const messages: ConsumeMessage[] = []
  await new Promise<void>((resolve, reject) => {
    const take = (message: ConsumeMessage | null): void => {
      if (message === null) return reject(new Error('the consumer was cancelled'))
      messages.push(message)
      if (messages.length === count) resolve()
    }
    channel.consume(queue, take, { arguments: { 'x-stream-offset': 'first' } }).catch(reject)
  })
  return messages.map(({ content }) => content.toString())
}

describe.each(['prod', '/staging', '50% off'])('a stream in the virtual host %s', (vhost) => {
  const encoded = encodeURIComponent(vhost)
  const topic = `${vhost}::events`

  test('is a topic to all doors', async () => {
    await server.management('PUT', `/vhosts/${encoded}`)
    const connection = await connect(`${server.url}/${encoded}`)
    try {
      const channel = await connection.createConfirmChannel()
      // At the end it asks for what is not there any more.
      channel.on('error', () => {})
      await channel.assertQueue('events', { arguments: { 'x-queue-type': 'stream' } })
      await channel.assertExchange('in', 'topic')
      await channel.bindQueue('events', 'in', 'a.#')
      channel.sendToQueue('events', Buffer.from('by name'))
      channel.publish('in', 'a.b', Buffer.from('by exchange'))
      await channel.waitForConfirms()

      const kafka = new Kafka({ brokers: [...server.kafkaBrokers], logLevel: logLevel.NOTHING })
      const [admin, producer] = [kafka.admin(), kafka.producer()]
      await Promise.all([admin.connect(), producer.connect()])
      expect(await admin.listTopics()).toContain(topic)
      expect((await admin.fetchTopicMetadata({ topics: [topic] })).topics).toMatchObject([{ name: topic, partitions: [{}] }])
      await producer.send({ topic, messages: [{ value: 'by Kafka' }] })
      await server.native.topic(topic).publish('by the client')
      const http = await fetch(`${server.httpUrl}/v1/topics/${encodeURIComponent(topic)}/messages`, {
        method: 'POST',
        body: 'by HTTP',
      })
      expect(http.status).toBe(201)

      const all = ['by name', 'by exchange', 'by Kafka', 'by the client', 'by HTTP']
      expect(await readFirst(channel, 'events', 5)).toEqual(all)
      expect((await server.native.topic(topic).peek({ max: 9 })).map((message) => message.text())).toEqual(all)
      expect(await fromKafka(kafka, topic, 5)).toEqual(all)
      expect(await server.management('GET', `/queues/${encoded}/events`)).toMatchObject({
        vhost,
        name: 'events',
        type: 'stream',
        messages: 5,
      })
      expect(await server.management('GET', `/queues/${encoded}/events/bindings`)).toMatchObject([
        { source: '' },
        { source: 'in', destination: 'events' },
      ])

      const refused = { type: 'INVALID_TOPIC_EXCEPTION' }
      const created = admin.createTopics({ topics: [{ topic: `${vhost}::new` }] })
      await expect(created).rejects.toMatchObject({ errors: [refused] })
      const published = producer.send({ topic: `${vhost}::other`, messages: [{ value: '' }] })
      await expect(published).rejects.toMatchObject({ cause: refused })
      await admin.deleteTopics({ topics: [topic] })
      await Promise.all([admin.disconnect(), producer.disconnect()])
      await expect(channel.checkQueue('events')).rejects.toThrow('404')
    } finally {
      await connection.close()
    }
  })
})

async function fromKafka(kafka: Kafka, topic: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: 'readers' })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const values: string[] = []
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }): Promise<void> => {
      values.push(message.value!.toString())
      if (values.length === count) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
  return values
}
