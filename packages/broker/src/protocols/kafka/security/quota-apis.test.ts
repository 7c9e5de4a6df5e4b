import { encodeBatch } from '@millrace/wire'
import { beforeEach, describe, expect, test } from 'vitest'
import { KafkaBroker, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import { errors } from '../errors.ts'
import { NO_TOPIC_ID } from '../handlers/topic-lookup.ts'
import { metadata } from '../messages/cluster.ts'
import { fetch, produce } from '../messages/records.ts'
import { alterClientQuotas, describeClientQuotas } from '../messages/security.ts'
import { createPartitions, createTopics, deleteTopics } from '../messages/topics.ts'

let broker: KafkaBroker
let peer: KafkaPeer

beforeEach(async () => {
  broker = await KafkaBroker.open()
  broker.core.broker.createTopic({ name: 't' })
  await broker.core.settle()
  peer = broker.connect()
})

type Entity = { entityType: string; entityName: string | null }[]
const user = (entityName: string | null): Entity => [{ entityType: 'user', entityName }]

async function alter(entity: Entity, values: Record<string, number | null>, validateOnly = false): Promise<number> {
  const ops = Object.entries(values).map(([key, value]) => ({ key, value: value ?? 0, remove: value === null }))
  const { entries } = await peer.ask(alterClientQuotas, 1, { entries: [{ entity, ops }], validateOnly })
  return entries[0]!.errorCode
}

async function described(
  components: { entityType: string; matchType: number; match: string | null }[],
  strict = false,
): Promise<unknown> {
  const { errorCode, entries } = await peer.ask(describeClientQuotas, 1, { components, strict })
  return errorCode === 0 ? entries : errorCode
}

describe('quotas', () => {
  test('are set, shown, changed and taken away', async () => {
    expect(await alter(user('ann'), { producer_byte_rate: 1000, consumer_byte_rate: 2000 })).toBe(0)
    expect(await alter([...user(null), { entityType: 'client-id', entityName: 'job' }], { producer_byte_rate: 5 })).toBe(0)
    expect(broker.core.broker.quotas.list()).toEqual([
      { user: 'ann', publishBytesPerSecond: 1000, consumeBytesPerSecond: 2000 },
      { user: '*', clientId: 'job', publishBytesPerSecond: 5 },
    ])
    const ofAnn = {
      entity: user('ann'),
      values: [
        { key: 'producer_byte_rate', value: 1000 },
        { key: 'consumer_byte_rate', value: 2000 },
      ],
    }
    const ofJob = {
      entity: [...user(null), { entityType: 'client-id', entityName: 'job' }],
      values: [{ key: 'producer_byte_rate', value: 5 }],
    }
    expect(await described([])).toEqual([ofAnn, ofJob])
    expect(await described([{ entityType: 'user', matchType: 0, match: 'ann' }])).toEqual([ofAnn])
    expect(await described([{ entityType: 'user', matchType: 1, match: null }])).toEqual([ofJob])
    expect(await described([{ entityType: 'user', matchType: 2, match: null }], true)).toEqual([ofAnn])
    expect(await alter(user('ann'), { producer_byte_rate: null })).toBe(0)
    expect(await alter(user('ann'), { consumer_byte_rate: null })).toBe(0)
    expect(await described([])).toEqual([ofJob])
  })

  test('of requests and of partitions are told apart from rates', async () => {
    expect(await alter(user('ann'), { request_percentage: 12.5, controller_mutation_rate: 0.5 })).toBe(0)
    expect(broker.core.broker.quotas.list()).toEqual([{ user: 'ann', requestPercent: 12.5, partitionChangesPerSecond: 0.5 }])
    const values = [
      { key: 'request_percentage', value: 12.5 },
      { key: 'controller_mutation_rate', value: 0.5 },
    ]
    expect(await described([])).toEqual([{ entity: user('ann'), values }])
    expect(await alter(user('ann'), { request_percentage: 0 })).toBe(errors.INVALID_REQUEST)
  })

  test('survive a restart', async () => {
    await alter(user('ann'), { producer_byte_rate: 1000 })
    await broker.core.crash()
    expect(broker.core.broker.quotas.list()).toEqual([{ user: 'ann', publishBytesPerSecond: 1000 }])
  })

  test('are only tried when that is asked for', async () => {
    expect(await alter(user('ann'), { producer_byte_rate: 1000 }, true)).toBe(0)
    expect(await alter(user('ann'), { producer_byte_rate: 0 }, true)).toBe(errors.INVALID_REQUEST)
    expect(broker.core.broker.quotas.list()).toEqual([])
  })

  test.each([
    ['of what this broker does not limit', user('ann'), { connection_creation_rate: 5 }, errors.INVALID_REQUEST],
    ['of nothing', user('ann'), { producer_byte_rate: -1 }, errors.INVALID_REQUEST],
    ['of addresses', [{ entityType: 'ip', entityName: '10.0.0.1' }], { producer_byte_rate: 1 }, errors.UNSUPPORTED_VERSION],
    ['of a user twice', [...user('a'), ...user('b')], { producer_byte_rate: 1 }, errors.INVALID_REQUEST],
    ['of nobody', [], { producer_byte_rate: 1 }, errors.INVALID_REQUEST],
  ])('%s are refused', async (_, entity, values, code) => {
    expect(await alter(entity, values)).toBe(code)
    expect(broker.core.broker.quotas.list()).toEqual([])
  })

  test('are not asked for in ways that mean nothing', async () => {
    expect(await described([{ entityType: 'ip', matchType: 2, match: null }])).toBe(errors.UNSUPPORTED_VERSION)
    expect(await described([{ entityType: 'user', matchType: 0, match: null }])).toBe(errors.INVALID_REQUEST)
  })
})

const batch = encodeBatch([{ timestampMs: 1, value: new Uint8Array(1000) }])
const produceOne = { acks: -1, timeoutMs: 1, topicData: [{ name: 't', partitionData: [{ index: 0, records: batch }] }] }
const fetchOne = {
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 1_000_000,
  topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }] }],
}

const throttledBy = async (): Promise<number> =>
  (await peer.ask(deleteTopics, 6, { topics: [{ name: 'missing', topicId: NO_TOPIC_ID }], timeoutMs: 1 })).throttleTimeMs

describe('a client that takes too much of the time', () => {
  /** Every question whether it may do something takes so long. */
  let tookMs = 0

  beforeEach(async () => {
    tookMs = 0
    broker = await KafkaBroker.open({
      authorize: () => {
        broker.core.platform.pass(tookMs)
      },
    })
    peer = broker.connect()
    await alter(user('anonymous'), { request_percentage: 10 })
  })

  test('is made to wait until its share is right', async () => {
    tookMs = 60
    expect(await throttledBy()).toBe(0)
    // 120 ms of work are 1200 ms at a tenth, of which a second is free, and 60 ms of it are over.
    expect(await throttledBy()).toBe(140)
    expect(peer.paused).toBe(true)
    await broker.core.advance(140)
    expect(peer.paused).toBe(false)
  })

  test('is told the longer of two waits', async () => {
    await alter(user('anonymous'), { controller_mutation_rate: 100 })
    broker.core.broker.createTopic({ name: 'many', partitions: 1000 })
    tookMs = 150
    const { throttleTimeMs } = await peer.ask(deleteTopics, 4, { topicNames: ['many'], timeoutMs: 1 })
    expect(throttleTimeMs).toBeGreaterThan(8000)
    await broker.core.advance(throttleTimeMs - 1)
    expect(peer.paused).toBe(true)
    await broker.core.advance(1)
    expect(peer.paused).toBe(false)
  })
})

const createTopicsNamed = async (version: number, ...names: string[]): Promise<{ throttleTimeMs: number; codes: number[] }> => {
  const topics = names.map((name) => ({ name, numPartitions: 4, replicationFactor: 1, assignments: [], configs: [] }))
  const { throttleTimeMs, topics: made } = await peer.ask(createTopics, version, { topics, validateOnly: false })
  return { throttleTimeMs, codes: made.map(({ errorCode }) => errorCode) }
}

describe('a client that changes too many partitions', () => {
  beforeEach(async () => {
    await alter(user('anonymous'), { controller_mutation_rate: 2 })
  })

  test('is refused the topics that are too many', async () => {
    const { throttleTimeMs, codes } = await createTopicsNamed(7, 'a', 'b')
    expect([throttleTimeMs, codes]).toEqual([1000, [0, errors.THROTTLING_QUOTA_EXCEEDED]])
    expect(peer.paused).toBe(false)
    const { responses } = await peer.ask(deleteTopics, 6, { topics: [{ name: 'a', topicId: NO_TOPIC_ID }], timeoutMs: 1 })
    expect(responses[0]!.errorCode).toBe(errors.THROTTLING_QUOTA_EXCEEDED)
    const more = { topics: [{ name: 'a', count: 5, assignments: null }], timeoutMs: 1, validateOnly: false }
    expect((await peer.ask(createPartitions, 3, more)).results[0]!.errorCode).toBe(errors.THROTTLING_QUOTA_EXCEEDED)
    await broker.core.advance(1000)
    expect((await peer.ask(createPartitions, 3, more)).results[0]!.errorCode).toBe(0)
    await broker.core.advance(500)
    expect((await createTopicsNamed(7, 'b')).codes).toEqual([0])
  })

  test('waits, where it does not know of refusals', async () => {
    expect(await createTopicsNamed(5, 'a', 'b')).toEqual({ throttleTimeMs: 3000, codes: [0, 0] })
    expect(peer.paused).toBe(true)
    await broker.core.advance(3000)
    expect(peer.paused).toBe(false)
  })
})

describe('a client that is too fast', () => {
  test('is told for how long nothing more is read from it', async () => {
    await alter([{ entityType: 'client-id', entityName: null }], { producer_byte_rate: batch.length })
    expect((await peer.ask(produce, 9, produceOne)).throttleTimeMs).toBe(0)
    expect(peer.paused).toBe(false)
    peer.send(produce, 9, produceOne)
    peer.send(metadata, 9, { topics: null })
    await broker.core.settle()
    expect(peer.paused).toBe(true)
    const { throttleTimeMs, responses } = peer.take(produce, 9)
    expect([throttleTimeMs, responses[0]!.partitionResponses[0]!.errorCode]).toEqual([1000, 0])
    expect(peer.waiting).toEqual([])
    await broker.core.advance(999)
    expect(peer.waiting).toEqual([])
    await broker.core.advance(1)
    expect([peer.paused, peer.waiting.length]).toEqual([false, 1])
  })

  test('is given no more at a time than it may have in a second', async () => {
    for (let n = 0; n < 10; n++) await peer.ask(produce, 9, produceOne)
    await alter(user('anonymous'), { consumer_byte_rate: 3 * batch.length })
    const recordBytes = async (): Promise<number> =>
      (await peer.ask(fetch, 11, fetchOne)).responses[0]!.partitions[0]!.records!.length
    expect(await recordBytes()).toBe(3 * batch.length)
    expect(peer.paused).toBe(false)
    expect((await peer.ask(fetch, 11, fetchOne)).throttleTimeMs).toBe(1000)
    expect(peer.paused).toBe(true)
    await broker.core.advance(1000)
    expect(peer.paused).toBe(false)
  })

  test('is slowed down without answers, too', async () => {
    await alter(user('anonymous'), { producer_byte_rate: batch.length })
    for (let n = 0; n < 2; n++) peer.send(produce, 9, { ...produceOne, acks: 0 })
    expect(peer.paused).toBe(true)
    await broker.core.advance(1000)
    expect([peer.paused, peer.closed]).toEqual([false, false])
  })

  test('may go away', async () => {
    await alter(user('anonymous'), { producer_byte_rate: 1 })
    peer.send(produce, 9, produceOne)
    await broker.core.settle()
    peer.close()
    await broker.core.advance(100_000)
    expect(peer.closed).toBe(true)
  })
})
