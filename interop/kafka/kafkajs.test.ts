import { compressionsAlgorithms } from '@platformatic/kafka'
import { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KafkaServer } from './kafka-server.ts'

/** kafkajs has gzip alone; the others are for its users to bring. */
for (const [type, name] of [
  [CompressionTypes.Snappy, 'snappy'],
  [CompressionTypes.LZ4, 'lz4'],
] as const) {
  const { compressSync, decompressSync } = compressionsAlgorithms[name]
  CompressionCodecs[type] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => compressSync(buffer),
    decompress: async (buffer: Buffer) => decompressSync(buffer),
  })
}

let server: KafkaServer
let kafka: Kafka
let producer: Producer

beforeAll(async () => {
  server = await KafkaServer.start()
  kafka = new Kafka({ clientId: 'tests', brokers: server.brokers, logLevel: logLevel.NOTHING })
  producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
})

afterAll(async () => {
  await producer.disconnect()
  await server.stop()
})

describe('admin', () => {
  test('creates, describes, changes and deletes topics', async () => {
    const admin = kafka.admin()
    await admin.connect()
    const configEntries = [{ name: 'retention.ms', value: '3600000' }]
    expect(await admin.createTopics({ topics: [{ topic: 'made', numPartitions: 3, configEntries }] })).toBe(true)
    expect(await admin.createTopics({ topics: [{ topic: 'made' }] })).toBe(false)
    expect(await admin.listTopics()).toContain('made')
    const { topics } = await admin.fetchTopicMetadata({ topics: ['made'] })
    expect(topics[0]!.partitions).toHaveLength(3)
    expect(await admin.createPartitions({ topicPartitions: [{ topic: 'made', count: 5 }] })).not.toBe(false)
    expect(server.native).toBeDefined()

    const resource = { type: ConfigResourceTypes.TOPIC, name: 'made' }
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '1000' }] }],
    })
    const { resources } = await admin.describeConfigs({ includeSynonyms: true, resources: [resource] })
    expect(resources[0]!.configEntries).toContainEqual(
      expect.objectContaining({ configName: 'retention.ms', configValue: '1000' }),
    )

    const cluster = await admin.describeCluster()
    expect(cluster.brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(server.brokers)
    expect(cluster.controller).toBe(cluster.brokers[0]!.nodeId)
    await admin.deleteTopics({ topics: ['made'] })
    expect(await admin.listTopics()).not.toContain('made')
    await admin.disconnect()
  })

  test('finds offsets and drops records', async () => {
    const admin = kafka.admin()
    await admin.connect()
    const start = Date.now()
    await producer.send({ topic: 'offsets', messages: [{ value: 'a', timestamp: String(start) }] })
    await producer.send({ topic: 'offsets', messages: [{ value: 'b', timestamp: String(start + 1000) }] })
    expect(await admin.fetchTopicOffsets('offsets')).toEqual([{ partition: 0, offset: '2', high: '2', low: '0' }])
    expect(await admin.fetchTopicOffsetsByTimestamp('offsets', start + 1)).toEqual([{ partition: 0, offset: '1' }])
    await admin.deleteTopicRecords({ topic: 'offsets', partitions: [{ partition: 0, offset: '1' }] })
    expect(await admin.fetchTopicOffsets('offsets')).toEqual([{ partition: 0, offset: '2', high: '2', low: '1' }])
    await admin.disconnect()
  })
})

describe('a producer', () => {
  test.each([
    ['plain', CompressionTypes.None],
    ['gzip', CompressionTypes.GZIP],
    ['snappy', CompressionTypes.Snappy],
    ['lz4', CompressionTypes.LZ4],
  ])('reaches the native protocol and HTTP: %s', async (name, compression) => {
    const values = Array.from({ length: 100 }, (_, n) => `value ${n} ${'x'.repeat(n)}`)
    const sent = await producer.send({
      topic: `by-${name}`,
      compression,
      messages: values.map((value) => ({ key: 'k', value, headers: { origin: 'kafkajs' } })),
    })
    expect(sent[0]).toMatchObject({ errorCode: 0, baseOffset: '0' })
    expect(await server.valuesByNative(`by-${name}`, 100)).toEqual(values)
    expect(await server.valuesByHttp(`by-${name}`)).toEqual(values)
  })

  test('may be idempotent', async () => {
    const idempotent = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner })
    await idempotent.connect()
    for (const value of ['a', 'b', 'c']) await idempotent.send({ topic: 'idempotent', messages: [{ value }] })
    await idempotent.disconnect()
    expect(await server.valuesByHttp('idempotent')).toEqual(['a', 'b', 'c'])
  })

  test('is not told anything without acknowledgements', async () => {
    await producer.send({ topic: 'unconfirmed', acks: 0, messages: [{ value: 'a' }] })
    await producer.send({ topic: 'unconfirmed', messages: [{ value: 'b' }] })
    expect(await server.valuesByHttp('unconfirmed')).toEqual(['a', 'b'])
  })

  test('reaches subscriptions', async () => {
    const subscription = server.native.topic('watched').subscription('s', { from: 'earliest' })
    await producer.send({
      topic: 'watched',
      compression: CompressionTypes.GZIP,
      messages: [{ key: 'k', value: 'a' }, { value: 'b' }],
    })
    const [message] = await subscription.pull()
    expect(message?.text()).toBe('a')
    await message?.ack()
  })
})
