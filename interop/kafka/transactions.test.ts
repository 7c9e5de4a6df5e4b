/** Transactions as Kafka's clients offer them. */
import { Consumer, Producer as PlatformaticProducer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { randomUUID } from 'node:crypto'
import { CompressionTypes, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KafkaServer } from './kafka-server.ts'
import { consume } from './kafkajs-consumer.ts'

let server: KafkaServer
let kafka: Kafka

beforeAll(async () => {
  server = await KafkaServer.start()
  kafka = new Kafka({ clientId: 'tests', brokers: server.brokers, logLevel: logLevel.NOTHING })
})

afterAll(async () => {
  await server.stop()
})

async function transactional(transactionalId: string): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 2, initialRetryTime: 10 },
  })
  await producer.connect()
  return producer
}

describe('kafkajs', () => {
  test('shows nothing before the commit, everything after it, and nothing of what was aborted', async () => {
    const topic = `seen-${randomUUID()}`
    const producer = await transactional(topic)
    const first = await producer.transaction()
    await first.send({ topic, messages: [{ value: 'a' }] })
    await first.send({ topic, compression: CompressionTypes.GZIP, messages: [{ value: 'b' }, { value: 'c' }] })
    expect(await server.valuesByHttp(topic)).toEqual([])
    await first.commit()
    const aborted = await producer.transaction()
    await aborted.send({ topic, messages: [{ value: 'never' }] })
    await aborted.abort()
    const last = await producer.transaction()
    await last.send({ topic, messages: [{ value: 'd' }] })
    await last.commit()
    await producer.disconnect()

    const reading = await consume(kafka, topic, topic)
    await reading.until(4)
    await reading.consumer.disconnect()
    expect(reading.values).toEqual(['a', 'b', 'c', 'd'])
    expect(reading.messages.map(({ offset }) => offset)).toEqual(['0', '1', '2', '3'])
    expect(await server.valuesByNative(topic, 4)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('commits what it consumed together with what came of it', async () => {
    const [source, target] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
    const plain = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
    const admin = kafka.admin()
    await Promise.all([plain.connect(), admin.connect()])
    await plain.send({ topic: source, messages: [{ value: '1' }, { value: '2' }] })
    const producer = await transactional(source)
    const offsets = (offset: string): Parameters<Awaited<ReturnType<Producer['transaction']>>['sendOffsets']>[0] => ({
      consumerGroupId: 'g',
      topics: [{ topic: source, partitions: [{ partition: 0, offset }] }],
    })
    const committed = async (): Promise<string> => {
      const [found] = await admin.fetchOffsets({ groupId: 'g', topics: [source] })
      return found!.partitions[0]!.offset
    }

    const aborted = await producer.transaction()
    await aborted.send({ topic: target, messages: [{ value: 'ten' }] })
    await aborted.sendOffsets(offsets('1'))
    await aborted.abort()
    expect(await committed()).toBe('-1')
    const transaction = await producer.transaction()
    await transaction.send({ topic: target, messages: [{ value: '10' }, { value: '20' }] })
    await transaction.sendOffsets(offsets('2'))
    expect(await committed()).toBe('-1')
    await transaction.commit()
    expect(await committed()).toBe('2')
    expect(await server.valuesByHttp(target)).toEqual(['10', '20'])
    await Promise.all([plain.disconnect(), admin.disconnect(), producer.disconnect()])
  })

  test('is fenced by whoever opens the same transactional id, with what it had under way', async () => {
    const topic = `fenced-${randomUUID()}`
    const old = await transactional(topic)
    const lost = await old.transaction()
    await lost.send({ topic, messages: [{ value: 'of the old one' }] })
    const next = await transactional(topic)
    const transaction = await next.transaction()
    await expect(lost.send({ topic, messages: [{ value: 'too late' }] })).rejects.toMatchObject({
      type: 'INVALID_PRODUCER_EPOCH',
    })
    await expect(lost.commit()).rejects.toMatchObject({ type: 'INVALID_PRODUCER_EPOCH' })
    await transaction.send({ topic, messages: [{ value: 'of the new one' }] })
    await transaction.commit()
    expect(await server.valuesByHttp(topic)).toEqual(['of the new one'])
    await Promise.all([old.disconnect(), next.disconnect()])
  })

  test('is told when its transaction took too long', async () => {
    const topic = `slow-${randomUUID()}`
    const producer = kafka.producer({
      transactionalId: topic,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: 50,
      retry: { retries: 2, initialRetryTime: 10 },
    })
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: 'a' }] })
    await expect
      .poll(() => fetch(`${server.httpUrl}/v1/transactions/${topic}`).then((answer) => answer.json()))
      .toMatchObject({ state: 'aborted', timeoutMs: 50 })
    await expect(transaction.commit()).rejects.toMatchObject({ type: 'INVALID_PRODUCER_EPOCH' })
    await producer.disconnect()
    expect(await server.valuesByHttp(topic)).toEqual([])
  })
})

describe('@platformatic/kafka', () => {
  const options = { clientId: 'tests', retries: 0, timeout: 10_000 }

  function opened(transactionalId: string): PlatformaticProducer<string, string, string, string> {
    return new PlatformaticProducer({
      ...options,
      bootstrapBrokers: server.brokers,
      serializers: stringSerializers,
      autocreateTopics: true,
      idempotent: true,
      transactionalId,
    })
  }

  test('commits what it consumed together with what came of it, and nothing of what is aborted', async () => {
    const [source, target] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
    const plain = new PlatformaticProducer({
      ...options,
      bootstrapBrokers: server.brokers,
      serializers: stringSerializers,
      autocreateTopics: true,
    })
    await plain.send({ messages: ['1', '2'].map((value) => ({ topic: source, value, partition: 0 })) })
    await plain.close()
    const consumer = new Consumer({
      ...options,
      bootstrapBrokers: server.brokers,
      groupId: source,
      autocommit: false,
      deserializers: stringDeserializers,
    })
    const stream = await consumer.consume({ topics: [source], mode: 'earliest', maxWaitTime: 100 })
    const producer = opened(source)
    const handled: string[] = []
    for await (const message of stream) {
      for (const outcome of ['abort', 'commit'] as const) {
        const transaction = await producer.beginTransaction()
        await transaction.addConsumer(consumer)
        await transaction.send({ messages: [{ topic: target, value: `${outcome} ${message.value}`, partition: 0 }] })
        await transaction.addOffset(message)
        await transaction[outcome]()
      }
      handled.push(message.value)
      if (handled.length === 2) break
    }
    await stream.close()
    expect(await server.valuesByHttp(target)).toEqual(['commit 1', 'commit 2'])
    const [offsets] = await consumer.listCommittedOffsets({ topics: [{ topic: source, partitions: [0] }] })
    expect(offsets).toEqual([source, [2n]])
    await Promise.all([consumer.close(), producer.close()])
  })

  test('is fenced by whoever opens the same transactional id', async () => {
    const topic = `fenced-${randomUUID()}`
    const [old, next] = [opened(topic), opened(topic)]
    const lost = await old.beginTransaction()
    await lost.send({ messages: [{ topic, value: 'of the old one', partition: 0 }] })
    const transaction = await next.beginTransaction()
    await expect(lost.commit()).rejects.toMatchObject({ errors: [expect.objectContaining({ apiId: 'PRODUCER_FENCED' })] })
    await transaction.send({ messages: [{ topic, value: 'of the new one', partition: 0 }] })
    await transaction.commit()
    expect(await server.valuesByHttp(topic)).toEqual(['of the new one'])
    await Promise.all([old.close(), next.close()])
  })
})
