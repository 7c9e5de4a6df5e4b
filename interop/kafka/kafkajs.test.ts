import { compressionsAlgorithms } from '@platformatic/kafka'
import { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KafkaServer } from './kafka-server.ts'
import { consume, waitFor } from './kafkajs-consumer.ts'

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

/** Forty messages whose values count on from a number. */
function sendShared(from: number): Promise<unknown> {
  return producer.send({
    topic: 'shared',
    compression: CompressionTypes.GZIP,
    messages: Array.from({ length: 40 }, (_, n) => ({ key: `k${n}`, value: `v${from + n}` })),
  })
}

describe('consumers', () => {
  test('of a group share partitions, and go on where they were', async () => {
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'shared', numPartitions: 4 }] })
    await sendShared(0)
    const first = await consume(kafka, 'g', 'shared')
    await first.until(40)
    const second = await consume(kafka, 'g', 'shared')
    await second.joined(1)
    await first.joined(2)
    await sendShared(40)
    // What was read and not committed when the partitions were shared out anew comes twice.
    await waitFor(() => new Set([...first.values, ...second.values]).size === 80)
    expect(second.values.length).toBeGreaterThan(0)

    const { groups } = await admin.describeGroups(['g'])
    expect(groups[0]).toMatchObject({ groupId: 'g', state: 'Stable', protocolType: 'consumer' })
    expect(groups[0]!.members).toHaveLength(2)
    expect((await admin.listGroups()).groups).toContainEqual({ groupId: 'g', protocolType: 'consumer' })
    await first.consumer.disconnect()
    await second.consumer.disconnect()

    const [offsets] = await admin.fetchOffsets({ groupId: 'g', topics: ['shared'] })
    expect(offsets!.partitions.reduce((sum, { offset }) => sum + Number(offset), 0)).toBe(80)
    const third = await consume(kafka, 'g', 'shared')
    await third.joined(1)
    await sendShared(80)
    await third.until(40)
    expect(third.values.every((value) => Number(value.slice(1)) >= 80)).toBe(true)
    await third.consumer.disconnect()
    await admin.resetOffsets({ groupId: 'g', topic: 'shared', earliest: true })
    const fourth = await consume(kafka, 'g', 'shared')
    await fourth.until(120)
    await fourth.consumer.disconnect()
    await admin.deleteGroups(['g'])
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain('g')
    await admin.disconnect()
  })

  test('get what the native protocol and HTTP publish, with keys and headers', async () => {
    await server.native.topic('from-native').publish('hello', { key: 'k', headers: { color: 'red' } })
    await fetch(`${server.httpUrl}/v1/topics/from-native/messages`, { method: 'POST', body: 'by http' })
    const reading = await consume(kafka, 'native-readers', 'from-native')
    await reading.until(2)
    expect(reading.values).toEqual(['hello', 'by http'])
    expect(reading.messages[0]!.key!.toString()).toBe('k')
    expect(reading.messages[0]!.headers!['color']!.toString()).toBe('red')
    await reading.consumer.disconnect()
  })
})
