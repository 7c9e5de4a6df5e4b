import { encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { inProcess, KafkaBroker, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import type { Decoded, Encodable } from '../codec/notation.ts'
import { errors } from '../errors.ts'
import { describeCluster, describeLogDirs, describeTopicPartitions, findCoordinator, metadata } from '../messages/cluster.ts'
import { deleteRecords, listOffsets, offsetForLeaderEpoch } from '../messages/records.ts'
import { alterPartitionReassignments, describeQuorum, electLeaders, listPartitionReassignments } from '../messages/replicas.ts'
import {
  alterConfigs,
  createPartitions,
  createTopics,
  deleteTopics,
  describeConfigs,
  incrementalAlterConfigs,
  listConfigResources,
} from '../messages/topics.ts'

type NewTopic = Encodable<typeof createTopics.request>['topics'][number]

type CreatedTopic = Decoded<typeof createTopics.response>['topics'][number]

const NEW: NewTopic = { name: 't', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }
const TOPIC = 2
const BROKER = 4

async function open(): Promise<{ broker: KafkaBroker; peer: KafkaPeer }> {
  const broker = await KafkaBroker.open()
  return { broker, peer: broker.connect({ ...inProcess, reached: { host: 'kafka.example', port: 1234 } }) }
}

async function create(peer: KafkaPeer, topic: Partial<NewTopic>, validateOnly = false): Promise<CreatedTopic> {
  const { topics } = await peer.ask(createTopics, 7, { topics: [{ ...NEW, ...topic }], validateOnly })
  return topics[0]!
}

async function valueOf(peer: KafkaPeer, name: string): Promise<{ value: string | null; configSource: number }> {
  const resources = [{ resourceType: TOPIC, resourceName: 't', configurationKeys: [name] }]
  const { results } = await peer.ask(describeConfigs, 4, { resources })
  const { value, configSource } = results[0]!.configs[0]!
  return { value, configSource }
}

describe('topics', () => {
  test('are created with their settings, described and deleted', async () => {
    const { broker, peer } = await open()
    const configs = [
      { name: 'retention.ms', value: '5000' },
      { name: 'retention.bytes', value: '-1' },
      { name: 'segment.bytes', value: '1000' },
    ]
    const created = await create(peer, { configs })
    expect(created).toMatchObject({ errorCode: 0, errorMessage: null, numPartitions: 2, replicationFactor: 1 })
    expect(created.configs).toContainEqual({
      name: 'retention.ms',
      value: '5000',
      readOnly: false,
      configSource: 1,
      isSensitive: false,
    })
    expect(broker.core.broker.topic('t')).toMatchObject({ partitions: 2, retention: { ms: 5000 }, cleanup: 'delete' })
    expect(created.topicId).toBe(broker.core.broker.storedTopic('t').id)
    const { topics } = await peer.ask(metadata, 12, { topics: [{ topicId: created.topicId, name: null }] })
    expect(topics[0]).toMatchObject({ errorCode: 0, name: 't' })
    const deleted = await peer.ask(deleteTopics, 6, { topics: [{ name: null, topicId: created.topicId }], timeoutMs: 1 })
    expect(deleted.responses[0]).toMatchObject({ name: 't', errorCode: 0 })
    expect(broker.core.broker.topics()).toEqual([])
    const again = await peer.ask(deleteTopics, 5, { topicNames: ['t'], timeoutMs: 1 })
    expect(again.responses[0]).toMatchObject({ name: 't', errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION })
  })

  test.each<[string, Parameters<typeof create>[1], number]>([
    ['name', { name: 'no spaces' }, errors.INVALID_TOPIC_EXCEPTION],
    ['number of partitions', { numPartitions: 0 }, errors.INVALID_PARTITIONS],
    ['number of partitions, large', { numPartitions: 1_000_000 }, errors.INVALID_PARTITIONS],
    ['number of replicas', { replicationFactor: 3 }, errors.INVALID_REPLICATION_FACTOR],
    ['assignment', { assignments: [{ partitionIndex: 0, brokerIds: [7] }] }, errors.INVALID_REPLICA_ASSIGNMENT],
    ['key', { configs: [{ name: 'no.such.key', value: '1' }] }, errors.INVALID_CONFIG],
    ['value', { configs: [{ name: 'retention.ms', value: 'soon' }] }, errors.INVALID_CONFIG],
    ['value of the wrong type', { configs: [{ name: 'segment.bytes', value: 'many' }] }, errors.INVALID_CONFIG],
    ['policy', { configs: [{ name: 'cleanup.policy', value: 'compact,delete,none' }] }, errors.INVALID_CONFIG],
    ['no policy', { configs: [{ name: 'cleanup.policy', value: '' }] }, errors.INVALID_CONFIG],
    ['largest message', { configs: [{ name: 'max.message.bytes', value: '999999999' }] }, errors.INVALID_CONFIG],
    ['fixed value', { configs: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }] }, errors.INVALID_CONFIG],
  ])('are not created with a bad %s', async (_, topic, errorCode) => {
    const { broker, peer } = await open()
    const refused = await create(peer, topic)
    expect(refused.errorCode).toBe(errorCode)
    expect(refused.errorMessage).not.toBeNull()
    expect(broker.core.broker.topics()).toEqual([])
  })

  test('are not created twice, nor to try', async () => {
    const { broker, peer } = await open()
    expect((await create(peer, {}, true)).errorCode).toBe(0)
    expect(broker.core.broker.topics()).toEqual([])
    const twice = await peer.ask(createTopics, 5, { topics: [NEW, NEW] })
    expect(twice.topics.map(({ errorCode }) => errorCode)).toEqual([errors.INVALID_REQUEST, errors.INVALID_REQUEST])
    expect((await create(peer, {})).errorCode).toBe(0)
    expect((await create(peer, {})).errorCode).toBe(errors.TOPIC_ALREADY_EXISTS)
  })

  test('partitions are counted by assignments, or by the broker', async () => {
    const { broker, peer } = await open()
    const assignments = [1, 0].map((partitionIndex) => ({ partitionIndex, brokerIds: [1] }))
    await create(peer, { numPartitions: -1, replicationFactor: -1, assignments })
    await create(peer, { name: 'u', numPartitions: -1, replicationFactor: -1 })
    expect(broker.core.broker.topics().map(({ partitions }) => partitions)).toEqual([2, 1])
  })

  test('get more partitions, and never less', async () => {
    const { broker, peer } = await open()
    await create(peer, {})
    const grow = async (count: number, name = 't'): Promise<number> => {
      const { results } = await peer.ask(createPartitions, 3, {
        topics: [{ name, count, assignments: null }],
        timeoutMs: 1,
        validateOnly: false,
      })
      return results[0]!.errorCode
    }
    expect([await grow(3), await grow(3), await grow(2), await grow(5, 'no')]).toEqual([
      0,
      errors.INVALID_PARTITIONS,
      errors.INVALID_PARTITIONS,
      errors.UNKNOWN_TOPIC_OR_PARTITION,
    ])
    expect(broker.core.broker.topic('t').partitions).toBe(3)
  })
})

describe('configuration', () => {
  test('is changed key by key', async () => {
    const { broker, peer } = await open()
    await create(peer, { configs: [{ name: 'retention.bytes', value: '100000' }] })
    const alter = async (name: string, configOperation: number, value: string | null): Promise<number> => {
      const resources = [{ resourceType: TOPIC, resourceName: 't', configs: [{ name, configOperation, value }] }]
      return (await peer.ask(incrementalAlterConfigs, 1, { resources, validateOnly: false })).responses[0]!.errorCode
    }
    expect(await alter('retention.ms', 0, '1000')).toBe(0)
    expect(broker.core.broker.topic('t').retention).toEqual({ ms: 1000, bytes: 100_000 })
    expect(await valueOf(peer, 'retention.ms')).toEqual({ value: '1000', configSource: 1 })
    expect(await alter('retention.ms', 1, null)).toBe(0)
    expect(await valueOf(peer, 'retention.ms')).toEqual({ value: '-1', configSource: 5 })
    expect(await alter('cleanup.policy', 2, 'compact')).toBe(0)
    expect(broker.core.broker.topic('t').cleanup).toBe('compact,delete')
    expect(await valueOf(peer, 'cleanup.policy')).toEqual({ value: 'compact,delete', configSource: 1 })
    expect(await alter('cleanup.policy', 3, 'compact')).toBe(0)
    expect(broker.core.broker.topic('t').cleanup).toBe('delete')
    expect(await alter('retention.ms', 2, '5')).toBe(errors.INVALID_CONFIG)
    expect(await alter('retention.ms', 9, '5')).toBe(errors.INVALID_REQUEST)
    expect(await alter('max.message.bytes', 0, '0')).toBe(errors.INVALID_CONFIG)
    expect(await alter('max.message.bytes', 0, '5000')).toBe(0)
    expect(broker.core.broker.topic('t').batchBytesMax).toBe(5000)
    expect(await valueOf(peer, 'max.message.bytes')).toEqual({ value: '5000', configSource: 1 })
    expect(await alter('max.message.bytes', 1, null)).toBe(0)
    expect(broker.core.broker.topic('t').batchBytesMax).toBeUndefined()
    expect(broker.core.broker.topic('t').retention).toEqual({ bytes: 100_000 })
  })

  test('is set as a whole, by old clients', async () => {
    const { broker, peer } = await open()
    await create(peer, { configs: [{ name: 'retention.bytes', value: '100000' }] })
    const resources = [{ resourceType: TOPIC, resourceName: 't', configs: [{ name: 'cleanup.policy', value: 'compact' }] }]
    expect((await peer.ask(alterConfigs, 1, { resources, validateOnly: true })).responses[0]!.errorCode).toBe(0)
    expect(broker.core.broker.topic('t').cleanup).toBe('delete')
    await peer.ask(alterConfigs, 1, { resources, validateOnly: false })
    expect(broker.core.broker.topic('t')).toMatchObject({ cleanup: 'compact', retention: {} })
  })

  test('is described with all keys, types, defaults and synonyms', async () => {
    const { peer } = await open()
    await create(peer, {})
    const resources = [
      { resourceType: TOPIC, resourceName: 't', configurationKeys: null },
      { resourceType: BROKER, resourceName: '1', configurationKeys: null },
      { resourceType: BROKER, resourceName: '2', configurationKeys: null },
      { resourceType: 99, resourceName: 'x', configurationKeys: null },
    ]
    const { results } = await peer.ask(describeConfigs, 4, { resources, includeSynonyms: true, includeDocumentation: true })
    expect(results.map(({ errorCode }) => errorCode)).toEqual([0, 0, errors.INVALID_REQUEST, errors.INVALID_REQUEST])
    expect(results[0]!.configs.length).toBeGreaterThan(25)
    expect(results[0]!.configs.find(({ name }) => name === 'cleanup.policy')).toMatchObject({
      value: 'delete',
      configType: 7,
      configSource: 5,
      synonyms: [{ name: 'log.cleanup.policy', value: 'delete', source: 5 }],
    })
    expect(results[1]!.configs.find(({ name }) => name === 'message.max.bytes')).toMatchObject({
      readOnly: true,
      configSource: 4,
    })
    expect((await peer.ask(listConfigResources, 0, {})).configResources).toEqual([])
    const listed = await peer.ask(listConfigResources, 1, { resourceTypes: [] })
    expect(listed.configResources).toEqual([
      { resourceName: 't', resourceType: TOPIC },
      { resourceName: '1', resourceType: BROKER },
    ])
  })
})

describe('metadata', () => {
  test('tells where the broker is and what it has', async () => {
    const { broker, peer } = await open()
    await create(peer, {})
    const told = await peer.ask(metadata, 12, { topics: null, includeTopicAuthorizedOperations: true })
    expect(told.brokers).toEqual([{ nodeId: 1, host: 'kafka.example', port: 1234, rack: null }])
    expect(told.clusterId).toBe(broker.core.broker.id)
    expect(told.topics[0]!.partitions[1]).toMatchObject({ partitionIndex: 1, leaderId: 1, leaderEpoch: 0, isrNodes: [1] })
    expect(told.topics[0]!.topicAuthorizedOperations & (1 << 4)).not.toBe(0)
    expect((await peer.ask(metadata, 0, { topics: [] })).topics).toHaveLength(1)
    expect((await peer.ask(metadata, 1, { topics: [] })).topics).toHaveLength(0)
  })

  test('creates topics that are asked for, where that is allowed', async () => {
    const { broker, peer } = await open()
    const codeOf = async (name: string, allowAutoTopicCreation: boolean): Promise<number> =>
      (await peer.ask(metadata, 9, { topics: [{ name }], allowAutoTopicCreation })).topics[0]!.errorCode
    expect(await codeOf('new', false)).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await codeOf('new', true)).toBe(0)
    expect(await codeOf('not valid', true)).toBe(errors.INVALID_TOPIC_EXCEPTION)
    expect(broker.core.broker.topic('new').partitions).toBe(1)
    const nameless = await peer.ask(metadata, 12, { topics: [{ name: null }] })
    expect(nameless.topics[0]!.errorCode).toBe(errors.INVALID_REQUEST)
    expect(broker.core.broker.topics()).toHaveLength(1)
    const strict = await KafkaBroker.open({ autoCreate: { topics: false } })
    const told = await strict.connect().ask(metadata, 9, { topics: [{ name: 'new' }] })
    expect(told.topics[0]!.errorCode).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('is told page by page', async () => {
    const { peer } = await open()
    for (const name of ['c', 'a', 'b']) await create(peer, { name })
    const page = await peer.ask(describeTopicPartitions, 0, { topics: [], responsePartitionLimit: 3, cursor: null })
    expect(page.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([
      ['a', 2],
      ['b', 1],
    ])
    expect(page.nextCursor).toEqual({ topicName: 'b', partitionIndex: 1 })
    const rest = await peer.ask(describeTopicPartitions, 0, { topics: [], responsePartitionLimit: 9, cursor: page.nextCursor })
    expect(rest.topics.map(({ name, partitions }) => [name, partitions.map(({ partitionIndex }) => partitionIndex)])).toEqual([
      ['b', [1]],
      ['c', [0, 1]],
    ])
    expect(rest.nextCursor).toBeNull()
    // Kafka's own client takes null for no list in neither.
    expect(page.topics[0]!.partitions[0]).toMatchObject({ eligibleLeaderReplicas: [], lastKnownElr: [], offlineReplicas: [] })
    const missing = await peer.ask(describeTopicPartitions, 0, { topics: [{ name: 'x' }], cursor: null })
    expect(missing.topics[0]!.errorCode).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('that partitions stay where they are', async () => {
    const { peer } = await open()
    await create(peer, {})
    const topicPartitions = [{ topic: 't', partitions: [0, 9] }]
    const elected = await peer.ask(electLeaders, 2, { electionType: 0, topicPartitions, timeoutMs: 1000 })
    expect(elected).toMatchObject({
      errorCode: 0,
      replicaElectionResults: [
        { partitionResult: [{ errorCode: errors.ELECTION_NOT_NEEDED }, { errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION }] },
      ],
    })
    const all = await peer.ask(electLeaders, 2, { electionType: 0, topicPartitions: null, timeoutMs: 1000 })
    expect(all).toMatchObject({ errorCode: 0, replicaElectionResults: [] })
    const partitions = [
      { partitionIndex: 0, replicas: [1] },
      { partitionIndex: 0, replicas: [1, 2] },
      { partitionIndex: 0, replicas: null },
    ]
    const moved = await peer.ask(alterPartitionReassignments, 1, { topics: [{ name: 't', partitions }], timeoutMs: 1000 })
    expect(moved.responses[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([
      errors.NONE,
      errors.INVALID_REPLICA_ASSIGNMENT,
      errors.NO_REASSIGNMENT_IN_PROGRESS,
    ])
    const underWay = await peer.ask(listPartitionReassignments, 0, { topics: null, timeoutMs: 1000 })
    expect(underWay).toMatchObject({ errorCode: 0, topics: [] })
  })

  test('of a quorum of one', async () => {
    const { broker, peer } = await open()
    await create(peer, {})
    const ask = async (topicName: string, partitionIndex: number) =>
      peer.ask(describeQuorum, 2, { topics: [{ topicName, partitions: [{ partitionIndex }] }] })
    const { errorCode, topics, nodes } = await ask('__cluster_metadata', 0)
    const [told] = topics[0]!.partitions
    const end = broker.core.broker.committedTicket
    expect(end).toBeGreaterThan(0)
    expect(errorCode).toBe(0)
    expect(told).toMatchObject({ errorCode: 0, leaderId: 1, highWatermark: end, observers: [] })
    expect(told!.currentVoters).toMatchObject([{ replicaId: 1, logEndOffset: end, lastFetchTimestamp: -1 }])
    expect(nodes).toEqual([{ nodeId: 1, listeners: [{ name: 'KAFKA', host: 'kafka.example', port: 1234 }] }])
    for (const refused of [await ask('t', 0), await ask('__cluster_metadata', 1)])
      expect(refused.topics[0]!.partitions).toMatchObject([{ errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION, leaderId: -1 }])
  })

  test('of a cluster of one', async () => {
    const { broker, peer } = await open()
    await create(peer, {})
    broker.core.publish('topic:t', 'a')
    await broker.core.settle()
    const told = await peer.ask(describeCluster, 1, { includeClusterAuthorizedOperations: false })
    expect(told).toMatchObject({ errorCode: 0, controllerId: 1, brokers: [{ brokerId: 1, host: 'kafka.example', port: 1234 }] })
    expect(await peer.ask(findCoordinator, 2, { key: 'g' })).toMatchObject({ errorCode: 0, nodeId: 1, port: 1234 })
    const { coordinators } = await peer.ask(findCoordinator, 4, { keyType: 0, coordinatorKeys: ['g', 'h'] })
    expect(coordinators.map(({ key, nodeId }) => [key, nodeId])).toEqual([
      ['g', 1],
      ['h', 1],
    ])
    const { results } = await peer.ask(describeLogDirs, 4, { topics: null })
    const sizes = results[0]!.topics[0]!.partitions.map(({ partitionSize }) => partitionSize)
    expect(sizes.toSorted((a, b) => a - b)).toEqual([0, expect.any(Number)])
    expect(Math.max(...sizes)).toBeGreaterThan(60)
    const one = await peer.ask(describeLogDirs, 2, { topics: [{ topic: 't', partitions: [1] }] })
    expect(one.results[0]!.topics[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([1])
  })
})

async function withRecords(): Promise<{ broker: KafkaBroker; peer: KafkaPeer }> {
  const { broker, peer } = await open()
  await create(peer, { numPartitions: 1 })
  const target = broker.core.broker.destination('topic:t', false)
  for (const times of [[100, 300], [200], [250]]) {
    target.publish(0, encodeBatch(times.map((timestampMs) => ({ timestampMs, value: new Uint8Array(1) }))))
    await broker.core.settle()
  }
  return { broker, peer }
}

describe('offsets', () => {
  test('are found by place and by time', async () => {
    const { peer } = await withRecords()
    const at = async (timestamp: number, more = {}): Promise<unknown[]> => {
      const topics = [{ name: 't', partitions: [{ partitionIndex: 0, timestamp, ...more }] }]
      const {
        errorCode,
        offset,
        timestamp: time,
        leaderEpoch,
      } = (await peer.ask(listOffsets, 9, { replicaId: -1, topics })).topics[0]!.partitions[0]!
      return [errorCode, offset, time, leaderEpoch]
    }
    expect(await at(-1)).toEqual([0, 4, -1, 0])
    expect(await at(-2)).toEqual([0, 0, -1, 0])
    expect(await at(-3)).toEqual([0, 1, 300, 0])
    expect(await at(-4)).toEqual([0, 0, -1, 0])
    expect(await at(-5)).toEqual([0, -1, -1, 0])
    expect(await at(0)).toEqual([0, 0, 100, 0])
    expect(await at(101)).toEqual([0, 1, 300, 0])
    expect(await at(301)).toEqual([0, -1, -1, 0])
    expect((await at(-1, { partitionIndex: 3 }))[0]).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION)
    expect((await at(-1, { currentLeaderEpoch: 1 }))[0]).toBe(errors.UNKNOWN_LEADER_EPOCH)
  })

  test('of a leader epoch', async () => {
    const { peer } = await withRecords()
    const ask = async (leaderEpoch: number): Promise<unknown> => {
      const topics = [{ topic: 't', partitions: [{ partition: 0, leaderEpoch }] }]
      return (await peer.ask(offsetForLeaderEpoch, 3, { topics })).topics[0]!.partitions[0]
    }
    expect(await ask(0)).toMatchObject({ errorCode: 0, leaderEpoch: 0, endOffset: 4 })
    expect(await ask(1)).toMatchObject({ errorCode: 0, leaderEpoch: -1, endOffset: -1 })
  })

  test('before which records are dropped', async () => {
    const { broker, peer } = await withRecords()
    const drop = async (offset: number): Promise<unknown> => {
      const topics = [{ name: 't', partitions: [{ partitionIndex: 0, offset }] }]
      return (await peer.ask(deleteRecords, 2, { topics, timeoutMs: 1 })).topics[0]!.partitions[0]
    }
    expect(await drop(1)).toEqual({ partitionIndex: 0, lowWatermark: 1, errorCode: 0 })
    expect(await drop(0)).toEqual({ partitionIndex: 0, lowWatermark: 1, errorCode: 0 })
    expect(await drop(5)).toEqual({ partitionIndex: 0, lowWatermark: -1, errorCode: errors.OFFSET_OUT_OF_RANGE })
    expect(await drop(-1)).toEqual({ partitionIndex: 0, lowWatermark: 4, errorCode: 0 })
    await broker.core.crash()
    expect(broker.core.broker.topic('t').partitionInfo[0]).toMatchObject({ start: 4, end: 4 })
  })
})
