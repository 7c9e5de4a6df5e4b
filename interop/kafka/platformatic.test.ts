import {
  Admin,
  type BaseOptions,
  ConfigResourceTypes,
  Consumer,
  ProduceAcks,
  Producer,
  type ProducerOptions,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KafkaServer } from './kafka-server.ts'

let server: KafkaServer
let options: BaseOptions
let admin: Admin

type Options = Partial<ProducerOptions<string, string, string, string>>

async function send(topic: string, values: readonly string[], more: Options = {}): Promise<void> {
  const producer = new Producer({ ...options, serializers: stringSerializers, autocreateTopics: true, ...more })
  const messages = values.map((value) => ({ topic, key: 'k', value, partition: 0, headers: { origin: 'platformatic' } }))
  await producer.send({ messages, acks: ProduceAcks.ALL })
  await producer.close()
}

beforeAll(async () => {
  server = await KafkaServer.start()
  options = { clientId: 'tests', bootstrapBrokers: server.brokers, retries: 0, timeout: 10_000 }
  admin = new Admin(options)
})

afterAll(async () => {
  await admin.close()
  await server.stop()
})

describe('admin', () => {
  test('creates, describes, changes and deletes topics', async () => {
    const configs = [{ name: 'retention.ms', value: '3600000' }]
    const [created] = await admin.createTopics({ topics: ['made'], partitions: 3, replicas: 1, configs })
    expect(created).toMatchObject({ name: 'made', partitions: 3, replicas: 1 })
    expect(created!.configuration['retention.ms']).toBe('3600000')
    await expect(admin.createTopics({ topics: ['made'] })).rejects.toThrow(/CreateTopics/)
    expect(await admin.listTopics()).toContain('made')
    await admin.createPartitions({ topics: [{ name: 'made', count: 4, assignments: [{ brokerIds: [1] }] }] })
    const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: 'made' }
    const change = [{ name: 'retention.ms', configOperation: 0, value: '1000' } as const]
    await admin.incrementalAlterConfigs({ resources: [{ ...resource, configs: change }] })
    const [described] = await admin.describeConfigs({ resources: [resource] })
    expect(described!.configs).toContainEqual(expect.objectContaining({ name: 'retention.ms', value: '1000' }))
    const metadata = await admin.metadata({ topics: ['made'] })
    expect(metadata.topics.get('made')!.partitionsCount).toBe(4)
    await admin.deleteTopics({ topics: ['made'] })
    expect(await admin.listTopics()).not.toContain('made')
  })

  test('finds offsets and sizes, and drops records', async () => {
    await send('offsets', ['a', 'b', 'c'])
    const find = async (timestamp: bigint): Promise<bigint> => {
      const [topic] = await admin.listOffsets({ topics: [{ name: 'offsets', partitions: [{ partitionIndex: 0, timestamp }] }] })
      return topic!.partitions[0]!.offset
    }
    expect([await find(-1n), await find(-2n), await find(0n)]).toEqual([3n, 0n, 0n])
    await admin.deleteRecords({ topics: [{ name: 'offsets', partitions: [{ partition: 0, offset: 2n }] }] })
    expect([await find(-1n), await find(-2n)]).toEqual([3n, 2n])
    const [logs] = await admin.describeLogDirs({ topics: [{ name: 'offsets', partitions: [0] }] })
    expect(Number(logs!.results[0]!.topics[0]!.partitions[0]!.partitionSize)).toBeGreaterThan(60)
  })
})

describe('a producer', () => {
  test.each(['none', 'gzip', 'snappy', 'lz4'] as const)('reaches the native protocol and HTTP: %s', async (compression) => {
    const values = Array.from({ length: 100 }, (_, n) => `value ${n} ${'x'.repeat(n)}`)
    await send(`by-${compression}`, values, { compression })
    expect(await server.valuesByNative(`by-${compression}`, 100)).toEqual(values)
    expect(await server.valuesByHttp(`by-${compression}`)).toEqual(values)
  })

  test('may be idempotent', async () => {
    const producer = new Producer({ ...options, serializers: stringSerializers, autocreateTopics: true, idempotent: true })
    for (const value of ['a', 'b', 'c'])
      await producer.send({ messages: [{ topic: 'idempotent', value }], acks: ProduceAcks.ALL })
    await producer.close()
    expect(await server.valuesByHttp('idempotent')).toEqual(['a', 'b', 'c'])
  })
})

test('a consumer asks for offsets', async () => {
  await send('asked', ['a', 'b'])
  const consumer = new Consumer({ ...options, groupId: 'g' })
  const offsets = await consumer.listOffsets({ topics: ['asked'] })
  expect(offsets.get('asked')).toEqual([2n])
  await consumer.close()
})

type StringConsumer = Consumer<string, string, string, string>

async function readAll(consumer: StringConsumer, topic: string, count: number): Promise<string[]> {
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'committed',
    fallbackMode: 'earliest',
    maxWaitTime: 100,
    autocommit: false,
  })
  const values: string[] = []
  for await (const message of stream) {
    values.push(message.value)
    await message.commit()
    if (values.length === count) break
  }
  await stream.close()
  return values
}

describe.each(['classic', 'consumer'] as const)('consumers of a group, by the protocol %s', (groupProtocol) => {
  const group = `g-${groupProtocol}`
  const topic = `read-${groupProtocol}`
  const open = (): StringConsumer =>
    new Consumer({ ...options, groupId: group, groupProtocol, deserializers: stringDeserializers, metadataMaxAge: 1000 })

  test('get what all doors published, and go on where they were', async () => {
    await send(topic, ['a', 'b'], { compression: 'lz4' })
    await server.native.topic(topic).publish('c', { key: 'k' })
    const first = open()
    expect(await readAll(first, topic, 2)).toEqual(['a', 'b'])
    await first.close()
    await send(topic, ['d'])
    const second = open()
    expect(await readAll(second, topic, 2)).toEqual(['c', 'd'])
    await second.close()
    const [offsets] = await admin.listConsumerGroupOffsets({ groups: [group] })
    expect(offsets!.topics[0]!.partitions[0]!.committedOffset).toBe(4n)
    const groups = await admin.listGroups({ types: [groupProtocol] })
    expect(groups.get(group)).toMatchObject({ id: group, groupType: groupProtocol })
    await admin.deleteGroups({ groups: [group] })
  })
})
