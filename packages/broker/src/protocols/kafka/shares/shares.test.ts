import { RecordReader } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { headersOf } from '../../../../test/core/harness.ts'
import { KafkaBroker, type KafkaOptions, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import { MillraceError } from '../../../base/errors.ts'
import type { Decoded } from '../codec/notation.ts'
import { errors } from '../errors.ts'
import { consumerGroupHeartbeat, deleteGroups, joinGroup, listGroups, offsetCommit } from '../messages/groups.ts'
import {
  alterShareGroupOffsets,
  deleteShareGroupOffsets,
  describeShareGroupOffsets,
  shareAcknowledge,
  shareFetch,
  shareGroupDescribe,
  shareGroupHeartbeat,
} from '../messages/shares.ts'
import { describeConfigs, incrementalAlterConfigs } from '../messages/topics.ts'

const GROUP = 'g'
const GROUP_RESOURCE = 32
const ACCEPT = 1
const RELEASE = 2
const REJECT = 3
const RENEW = 4
const decoder = new TextDecoder()
const NEW_MEMBER = { memberId: '', sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000, protocolType: 'consumer' }

type FetchResponse = Decoded<typeof shareFetch.response>
type Acknowledged = readonly (readonly [first: number, last: number, ...types: number[]])[]

/** A member of the group, at a connection of its own. */
class Member {
  readonly peer: KafkaPeer
  readonly id: string
  readonly #broker: KafkaBroker
  readonly #topicId: string
  epoch = 0

  constructor(broker: KafkaBroker, id: string) {
    this.#broker = broker
    this.peer = broker.connect()
    this.id = id
    this.#topicId = broker.core.broker.storedTopic('t').id
  }

  async join(epoch = 0, topics: readonly string[] | null = ['t']): Promise<Decoded<typeof shareGroupHeartbeat.response>> {
    const request = { groupId: GROUP, memberId: this.id, memberEpoch: epoch, subscribedTopicNames: topics }
    return this.peer.ask(shareGroupHeartbeat, 1, request)
  }

  send(
    more: {
      partitions?: readonly number[]
      acks?: Acknowledged
      maxRecords?: number
      epoch?: number
      renew?: boolean
      minBytes?: number
      maxWaitMs?: number
      batchSize?: number
      acquireMode?: number
    } = {},
  ): void {
    const {
      partitions = [0],
      acks = [],
      maxRecords = 100,
      epoch = this.epoch++,
      renew = false,
      minBytes = 1,
      maxWaitMs = 500,
      batchSize = 100,
      acquireMode = 0,
    } = more
    const nothing = maxRecords === 0
    this.peer.send(shareFetch, 2, {
      groupId: GROUP,
      memberId: this.id,
      shareSessionEpoch: epoch,
      maxWaitMs: nothing ? 0 : maxWaitMs,
      minBytes: nothing ? 0 : minBytes,
      maxBytes: nothing ? 0 : 1_000_000,
      maxRecords,
      batchSize,
      shareAcquireMode: acquireMode,
      isRenewAck: renew,
      topics: [{ topicId: this.#topicId, partitions: partitions.map((index) => this.#partition(index, acks)) }],
      forgottenTopicsData: [],
    })
  }

  async fetch(more: Parameters<Member['send']>[0] = {}): Promise<FetchResponse> {
    this.send(more)
    await this.#broker.core.settle()
    if (this.peer.waiting.length === 0) await this.#broker.core.advance(500)
    return this.peer.take(shareFetch, 2)
  }

  async acknowledge(acks: Acknowledged, more: { epoch?: number; renew?: boolean } = {}): Promise<number> {
    const { epoch = this.epoch++, renew = false } = more
    const response = await this.peer.ask(shareAcknowledge, 2, {
      groupId: GROUP,
      memberId: this.id,
      shareSessionEpoch: epoch,
      isRenewAck: renew,
      topics: [{ topicId: this.#topicId, partitions: [this.#partition(0, acks)] }],
    })
    return response.errorCode || (response.responses[0]?.partitions[0]?.errorCode ?? 0)
  }

  #partition(
    partitionIndex: number,
    acks: Acknowledged,
  ): Parameters<typeof this.peer.send<typeof shareFetch>>[2]['topics'][number]['partitions'][number] {
    const acknowledgementBatches = acks.map(([firstOffset, lastOffset, ...acknowledgeTypes]) => ({
      firstOffset,
      lastOffset,
      acknowledgeTypes,
    }))
    return { partitionIndex, acknowledgementBatches: partitionIndex === 0 ? acknowledgementBatches : [] }
  }
}

async function open(partitions = 1, options: KafkaOptions = {}): Promise<KafkaBroker> {
  const broker = await KafkaBroker.open(options)
  broker.core.broker.createTopic({ name: 't', partitions })
  await broker.core.settle()
  return broker
}

/** With what was published into its first partition before it came. */
async function member(broker: KafkaBroker, id = 'one', ...values: string[]): Promise<Member> {
  const made = new Member(broker, id)
  expect(await made.join()).toMatchObject({ errorCode: 0, memberId: id, heartbeatIntervalMs: 5000 })
  if (values.length > 0) broker.core.publish('topic:t', ...values)
  await broker.core.settle()
  return made
}

/** `offset..offset xCOUNT` by partition, without what is empty. */
function acquired({ responses }: FetchResponse): string[] {
  return responses.flatMap(({ partitions }) =>
    partitions.flatMap(({ partitionIndex, acquiredRecords }) =>
      acquiredRecords.map(
        ({ firstOffset, lastOffset, deliveryCount }) => `${partitionIndex}: ${firstOffset}..${lastOffset} x${deliveryCount}`,
      ),
    ),
  )
}

/** Values of all records of a response, with their offsets. */
function records({ responses }: FetchResponse): string[] {
  return responses.flatMap(({ partitions }) =>
    partitions.flatMap(({ records: bytes }) => {
      const values: string[] = []
      const end = bytes?.length ?? 0
      for (let at = 0; at < end;) {
        const view = new DataView(bytes!.buffer, bytes!.byteOffset + at)
        const reader = new RecordReader(bytes!.subarray(at))
        while (reader.next()) values.push(`${Number(view.getBigInt64(0)) + reader.offsetDelta} ${decoder.decode(reader.value!)}`)
        at += 12 + view.getInt32(8)
      }
      return values
    }),
  )
}

/** Partitions of the one topic of a response, with their codes. */
function codes({ responses }: FetchResponse): number[][] {
  return responses[0]!.partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode])
}

function info(broker: KafkaBroker): { ready: number; inFlight: number; acked: number; dropped: number; deadLettered: number } {
  const { ready, inFlight, counters } = broker.core.broker.subscription('t', GROUP)
  const { acked, dropped, deadLettered } = counters
  return { ready, inFlight, acked, dropped, deadLettered }
}

describe('membership', () => {
  test('whoever joins gets all partitions, and the subscription is there', async () => {
    const broker = await open(3)
    const one = new Member(broker, 'one')
    const joined = await one.join()
    expect(joined).toMatchObject({ errorCode: 0, memberEpoch: 1, assignment: { topicPartitions: [{ partitions: [0, 1, 2] }] } })
    expect(broker.core.broker.subscription('t', GROUP).delivery).toMatchObject({ leaseMs: 30_000, maxAttempts: 5 })
    expect(await one.join(1, null)).toMatchObject({ errorCode: 0, memberEpoch: 1, assignment: null })
    broker.core.broker.updateTopic('t', { partitions: 4 })
    const grown = await one.join(1, null)
    expect(grown).toMatchObject({ memberEpoch: 2, assignment: { topicPartitions: [{ partitions: [0, 1, 2, 3] }] } })
    expect(await one.join(1, null)).toMatchObject({ errorCode: 0, memberEpoch: 2 })
    expect(await one.join(7, null)).toMatchObject({ errorCode: errors.FENCED_MEMBER_EPOCH })
    expect(await new Member(broker, 'two').join(1, null)).toMatchObject({ errorCode: errors.UNKNOWN_MEMBER_ID })
    expect(await new Member(broker, '').join()).toMatchObject({ errorCode: errors.INVALID_REQUEST })
    expect(await new Member(broker, 'two').join(0, [])).toMatchObject({ errorCode: errors.INVALID_REQUEST })
  })

  test('groups are listed and described, until their members are gone', async () => {
    const broker = await open()
    const one = await member(broker)
    await member(broker, 'two')
    const { peer } = one
    const list = async (): Promise<unknown> => (await peer.ask(listGroups, 5, { typesFilter: ['share'] })).groups
    const described = async (): Promise<Decoded<typeof shareGroupDescribe.response>['groups'][number]> =>
      (await peer.ask(shareGroupDescribe, 1, { groupIds: [GROUP], includeAuthorizedOperations: false })).groups[0]!
    expect(await list()).toEqual([{ groupId: GROUP, protocolType: 'share', groupState: 'Stable', groupType: 'share' }])
    const group = await described()
    expect(group).toMatchObject({ errorCode: 0, groupState: 'Stable', assignorName: 'simple' })
    expect(group.members.map(({ memberId, clientId }) => [memberId, clientId])).toEqual([
      ['one', 'a client'],
      ['two', 'a client'],
    ])
    const remove = async (): Promise<unknown> => (await peer.ask(deleteGroups, 2, { groupsNames: [GROUP] })).results[0]!.errorCode
    expect(await remove()).toBe(errors.NON_EMPTY_GROUP)
    expect(await one.join(-1, null)).toMatchObject({ errorCode: 0, memberEpoch: -1 })
    await broker.core.advance(46_000)
    expect(await described()).toMatchObject({ groupState: 'Empty', members: [] })
    expect(await remove()).toBe(0)
    expect(await remove()).toBe(errors.GROUP_ID_NOT_FOUND)
    expect(await described()).toMatchObject({ errorCode: errors.GROUP_ID_NOT_FOUND, groupState: 'Dead' })
    expect(await list()).toEqual([])
    expect(broker.core.broker.subscriptions()).toEqual([])
  })

  test('a name stands for one kind of group', async () => {
    const broker = await open()
    const one = await member(broker)
    const { peer } = one
    const join = async (groupId: string): Promise<number> =>
      (await peer.ask(joinGroup, 5, { ...NEW_MEMBER, groupId, protocols: [{ name: 'range', metadata: new Uint8Array() }] }))
        .errorCode
    const heartbeat = async (groupId: string): Promise<number> =>
      (
        await peer.ask(consumerGroupHeartbeat, 1, {
          groupId,
          memberId: 'm',
          memberEpoch: 0,
          rebalanceTimeoutMs: 1000,
          subscribedTopicNames: ['t'],
          topicPartitions: [],
        })
      ).errorCode
    const topics = [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 0, committedMetadata: null }] }]
    const commit = async (groupId: string): Promise<number> =>
      (await peer.ask(offsetCommit, 8, { groupId, generationIdOrMemberEpoch: -1, topics })).topics[0]!.partitions[0]!.errorCode
    expect(await join(GROUP)).toBe(errors.INCONSISTENT_GROUP_PROTOCOL)
    expect(await heartbeat(GROUP)).toBe(errors.GROUP_ID_NOT_FOUND)
    expect(await commit(GROUP)).toBe(errors.GROUP_ID_NOT_FOUND)

    expect(await commit('consumers')).toBe(0)
    const share = { groupId: 'consumers', memberId: 'one', memberEpoch: 0, subscribedTopicNames: ['t'] }
    expect(await peer.ask(shareGroupHeartbeat, 1, share)).toMatchObject({ errorCode: errors.GROUP_ID_NOT_FOUND })
    const fetch = { groupId: 'consumers', memberId: 'one', shareSessionEpoch: 0, maxRecords: 1, batchSize: 1 }
    expect(
      await peer.ask(shareFetch, 2, { ...fetch, maxWaitMs: 0, minBytes: 0, topics: [], forgottenTopicsData: [] }),
    ).toMatchObject({
      errorCode: errors.GROUP_ID_NOT_FOUND,
    })
    const offsets = { groupId: 'consumers', topics: [{ topicName: 't', partitions: [{ partitionIndex: 0, startOffset: 0 }] }] }
    expect(await peer.ask(alterShareGroupOffsets, 0, offsets)).toMatchObject({ errorCode: errors.GROUP_ID_NOT_FOUND })
    // Another door knows no such rule; what was there first goes on.
    broker.core.broker.createSubscription({ topic: 't', name: 'consumers' })
    expect(await commit('consumers')).toBe(0)
    const { groups } = await peer.ask(listGroups, 5, {})
    expect(groups.map(({ groupId, groupType }) => `${groupId} ${groupType}`).toSorted()).toEqual(['consumers classic', 'g share'])
    const { results } = await peer.ask(deleteGroups, 2, { groupsNames: ['consumers'] })
    expect(results[0]!.errorCode).toBe(0)
    expect(await heartbeat('consumers')).toBe(errors.GROUP_ID_NOT_FOUND)
  })

  test('rights: the group, and its subscription of each topic', async () => {
    const denied = new Set<string>()
    const authorize: KafkaOptions['authorize'] = (_, action, resource) => {
      if (denied.has(`${action} ${resource}`)) throw new MillraceError('forbidden', `${action} ${resource}`)
    }
    const broker = await open(1, { authorize })
    const one = new Member(broker, 'one')
    denied.add('consume topic:t/g').add('read topic:t')
    expect(await one.join()).toMatchObject({ errorCode: errors.TOPIC_AUTHORIZATION_FAILED })
    const [topic] = (await one.fetch()).responses
    expect(topic!.partitions[0]).toMatchObject({ errorCode: errors.TOPIC_AUTHORIZATION_FAILED })
    denied.clear()
    broker.core.publish('topic:t', 'a')
    await one.join()
    broker.core.publish('topic:t', 'b')
    expect(acquired(await one.fetch())).toEqual(['0: 1..1 x1'])
    // Who may not any more gives back what it has.
    denied.add('consume topic:t/g').add('read topic:t')
    expect(acquired(await one.fetch())).toEqual([])
    expect(info(broker)).toMatchObject({ ready: 1, inFlight: 0 })
    denied.clear()
    denied.add('consume group:g')
    expect(await one.join()).toMatchObject({ errorCode: errors.GROUP_AUTHORIZATION_FAILED })
    expect(await one.fetch()).toMatchObject({ errorCode: errors.GROUP_AUTHORIZATION_FAILED })
    denied.clear()
    const request = { groupId: 'a/b', memberId: 'one', memberEpoch: 0, subscribedTopicNames: ['t'] }
    expect(await one.peer.ask(shareGroupHeartbeat, 1, request)).toMatchObject({ errorCode: errors.INVALID_GROUP_ID })
  })
})

describe('records', () => {
  test('are acquired, and accepted, released or rejected one by one', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a', 'b', 'c', 'd')
    const first = await one.fetch()
    expect(first).toMatchObject({ errorCode: 0, acquisitionLockTimeoutMs: 30_000 })
    expect(records(first)).toEqual(['0 a', '1 b', '2 c', '3 d'])
    expect(acquired(first)).toEqual(['0: 0..3 x1'])
    expect(info(broker)).toMatchObject({ ready: 0, inFlight: 4 })
    expect(await one.acknowledge([[0, 3, ACCEPT, RELEASE, REJECT, RELEASE]])).toBe(0)
    expect(info(broker)).toMatchObject({ ready: 2, inFlight: 0, acked: 1, dropped: 1 })
    const second = await one.fetch()
    expect(acquired(second)).toEqual(['0: 1..1 x2', '0: 3..3 x2'])
    expect(records(second)).toEqual(['0 a', '1 b', '2 c', '3 d'])
    const third = await one.fetch({
      acks: [
        [1, 1, ACCEPT],
        [3, 3, ACCEPT],
      ],
    })
    expect(third.responses[0]!.partitions).toMatchObject([{ acknowledgeErrorCode: 0, acquiredRecords: [] }])
    expect(info(broker)).toMatchObject({ ready: 0, inFlight: 0, acked: 3 })
  })

  test('no more than asked for; the rest goes to others, by whatever way they consume', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a', 'b', 'c', 'd')
    expect(acquired(await one.fetch({ maxRecords: 2 }))).toEqual(['0: 0..1 x1'])
    const native = broker.core.consume(`topic:t/${GROUP}`, 1)
    await broker.core.settle()
    expect(native.messages.map(({ value }) => value)).toEqual(['c'])
    const two = await member(broker, 'two')
    expect(acquired(await two.fetch())).toEqual(['0: 3..3 x1'])
  })

  test('are told in runs of about the size that the client wants, which end with a batch', async () => {
    const broker = await open()
    const one = await member(broker)
    for (const values of [['0', '1', '2'], ['3'], ['4', '5'], ['6', '7', '8', '9', '10']])
      broker.core.publish('topic:t', ...values)
    await broker.core.settle()
    const again = async (more: Parameters<Member['fetch']>[0]): Promise<string[]> => {
      const fetched = acquired(await one.fetch({ ...more, epoch: 0 }))
      one.epoch = 1
      return fetched
    }
    expect(await again({})).toEqual(['0: 0..10 x1'])
    expect(await again({ batchSize: 4 })).toEqual(['0: 0..3 x1', '0: 4..10 x1'])
    expect(await again({ batchSize: 2 })).toEqual(['0: 0..2 x1', '0: 3..5 x1', '0: 6..10 x1'])
    expect(await again({ batchSize: 1 })).toEqual(['0: 0..2 x1', '0: 3..3 x1', '0: 4..5 x1', '0: 6..10 x1'])
    expect(await again({ batchSize: 1, acquireMode: 1 })).toEqual(['0: 0..10 x1'])
    expect(await one.acknowledge([[0, 10, ACCEPT]])).toBe(0)
  })

  test('a fetch waits for records without asking again, and no longer than it said', async () => {
    const broker = await open()
    const one = await member(broker)
    one.send()
    await broker.core.advance(499)
    expect(one.peer.waiting).toEqual([])
    broker.core.publish('topic:t', 'late')
    await broker.core.settle()
    expect(acquired(one.peer.take(shareFetch, 2))).toEqual(['0: 0..0 x1'])
    one.send()
    await broker.core.advance(500)
    expect(one.peer.take(shareFetch, 2)).toMatchObject({ errorCode: 0, responses: [] })
    broker.core.publish('topic:t', 'too late')
    await broker.core.settle()
    expect(info(broker)).toMatchObject({ ready: 1, inFlight: 1 })
  })

  test('a fetch that does not want to wait gets records all the same', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a')
    expect(acquired(await one.fetch({ minBytes: 0, maxWaitMs: 0 }))).toEqual(['0: 0..0 x1'])
    one.send({ minBytes: 0, maxWaitMs: 0 })
    await broker.core.advance(50)
    expect(one.peer.take(shareFetch, 2)).toMatchObject({ errorCode: 0, responses: [] })
  })

  test('what is fetched counts for the quota of its user', async () => {
    const broker = await open()
    broker.core.broker.quotas.set({ user: 'anonymous', consumeBytesPerSecond: 1000 })
    const one = await member(broker, 'one', 'x'.repeat(3000))
    const fetched = await one.fetch()
    expect(acquired(fetched)).toEqual(['0: 0..0 x1'])
    expect(fetched.throttleTimeMs).toBeGreaterThan(1000)
  })

  test('an acknowledgement ends the wait of a fetch before it', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a')
    await one.fetch()
    one.send()
    await broker.core.settle()
    expect(one.peer.waiting).toEqual([])
    one.peer.send(shareAcknowledge, 2, {
      groupId: GROUP,
      memberId: 'one',
      shareSessionEpoch: one.epoch++,
      isRenewAck: false,
      topics: [],
    })
    await broker.core.settle()
    expect(one.peer.waiting).toHaveLength(2)
  })

  test('a lock that runs out is the end of it, unless it is renewed', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a', 'b')
    expect(acquired(await one.fetch())).toEqual(['0: 0..1 x1'])
    await broker.core.advance(20_000)
    expect(await one.acknowledge([[0, 0, RENEW]])).toBe(errors.INVALID_REQUEST)
    expect(await one.acknowledge([[0, 0, RENEW]], { renew: true })).toBe(0)
    await broker.core.advance(20_000)
    expect(info(broker)).toMatchObject({ ready: 1, inFlight: 1 })
    // All of a partition or nothing.
    expect(await one.acknowledge([[0, 1, ACCEPT]])).toBe(errors.INVALID_RECORD_STATE)
    expect(info(broker)).toMatchObject({ ready: 1, inFlight: 1, acked: 0 })
    expect(await one.acknowledge([[0, 0, ACCEPT]])).toBe(0)
    expect(acquired(await one.fetch())).toEqual(['0: 1..1 x2'])
  })

  test('what was delivered too often does not come again', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'poison')
    for (let count = 1; count <= 5; count++) {
      expect(acquired(await one.fetch())).toEqual([`0: 0..0 x${count}`])
      expect(await one.acknowledge([[0, 0, RELEASE]])).toBe(0)
    }
    expect(acquired(await one.fetch())).toEqual([])
    expect(info(broker)).toMatchObject({ ready: 0, dropped: 1 })
  })

  test('only of the partitions of the session', async () => {
    const broker = await open(2)
    const one = await member(broker)
    const two = await member(broker, 'two')
    one.send({ partitions: [0] })
    two.send({ partitions: [1] })
    await broker.core.settle()
    broker.core.publish('topic:t', 'a')
    broker.core.publish('topic:t', 'b')
    broker.core.publish('topic:t', 'c')
    await broker.core.settle()
    const [atOne, atTwo] = [one, two].map(({ peer }) => acquired(peer.take(shareFetch, 2)))
    expect(atOne!.every((text) => text.startsWith('0: '))).toBe(true)
    expect(atTwo!.every((text) => text.startsWith('1: '))).toBe(true)
    expect(atOne!.length * atTwo!.length).toBe(1)
  })
})

describe('sessions', () => {
  test('have epochs, and end with their connection', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a')
    expect(await one.fetch({ epoch: 1 })).toMatchObject({ errorCode: errors.SHARE_SESSION_NOT_FOUND })
    expect(await one.fetch({ epoch: 0, acks: [[0, 0, ACCEPT]] })).toMatchObject({ errorCode: errors.INVALID_REQUEST })
    expect(acquired(await one.fetch())).toEqual(['0: 0..0 x1'])
    expect(await one.fetch({ epoch: 2 })).toMatchObject({ errorCode: errors.INVALID_SHARE_SESSION_EPOCH })
    expect(await one.acknowledge([], { epoch: 0 })).toBe(errors.INVALID_SHARE_SESSION_EPOCH)
    one.peer.close()
    await broker.core.settle()
    expect(info(broker)).toMatchObject({ ready: 1, inFlight: 0 })
    const again = await member(broker, 'one')
    // It may not have seen it: it does not count.
    expect(acquired(await again.fetch())).toEqual(['0: 0..0 x1'])
    // Its last word gives back the rest.
    expect(await again.acknowledge([], { epoch: -1 })).toBe(0)
    expect(info(broker)).toMatchObject({ ready: 1, inFlight: 0 })
    expect(await again.acknowledge([], { epoch: -1 })).toBe(errors.SHARE_SESSION_NOT_FOUND)
  })

  test('one that begins again loses what it had', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a')
    expect(acquired(await one.fetch())).toEqual(['0: 0..0 x1'])
    expect(acquired(await one.fetch({ epoch: 0 }))).toEqual(['0: 0..0 x1'])
  })

  test('a partition that is not there is told, and the others are read', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a')
    // At once, and then with the others.
    one.send({ partitions: [0, 7] })
    await broker.core.settle()
    expect(codes(one.peer.take(shareFetch, 2))).toEqual([[7, errors.UNKNOWN_TOPIC_OR_PARTITION]])
    const fetched = await one.fetch()
    expect(acquired(fetched)).toEqual(['0: 0..0 x1'])
    expect(codes(fetched)).toEqual([
      [7, errors.UNKNOWN_TOPIC_OR_PARTITION],
      [0, 0],
    ])
    one.send()
    await broker.core.advance(499)
    expect(one.peer.waiting).toEqual([])
  })

  test('a topic that is deleted is told, and does not end the session', async () => {
    const broker = await open()
    const one = await member(broker)
    one.send()
    await broker.core.settle()
    broker.core.broker.deleteTopic('t')
    await broker.core.settle()
    expect(one.peer.take(shareFetch, 2)).toMatchObject({ errorCode: 0, responses: [] })
    const [topic] = (await one.fetch()).responses
    expect(topic!.partitions).toMatchObject([{ errorCode: errors.UNKNOWN_TOPIC_ID }])
  })

  test('acknowledgements that make no sense are refused', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a', 'b')
    await one.fetch()
    for (const acks of [
      [[1, 0, ACCEPT]],
      [[0, 1, ACCEPT, ACCEPT, ACCEPT]],
      [[0, 0, 9]],
      [
        [1, 1, ACCEPT],
        [0, 0, ACCEPT],
      ],
    ] as const) {
      expect(await one.acknowledge(acks)).toBe(errors.INVALID_REQUEST)
    }
    expect(info(broker)).toMatchObject({ inFlight: 2, acked: 0 })
  })
})

async function configs(peer: KafkaPeer): Promise<Record<string, string | null>> {
  const resources = [{ resourceType: GROUP_RESOURCE, resourceName: GROUP, configurationKeys: null }]
  const { results } = await peer.ask(describeConfigs, 4, { resources, includeSynonyms: true, includeDocumentation: false })
  expect(results[0]!.errorCode).toBe(0)
  return Object.fromEntries(results[0]!.configs.map(({ name, value }) => [name, value]))
}

async function alter(peer: KafkaPeer, values: Record<string, string | null>): Promise<number> {
  const changes = Object.entries(values).map(([name, value]) => ({ name, configOperation: value === null ? 1 : 0, value }))
  const resources = [{ resourceType: GROUP_RESOURCE, resourceName: GROUP, configs: changes }]
  return (await peer.ask(incrementalAlterConfigs, 1, { resources, validateOnly: false })).responses[0]!.errorCode
}

describe('operators', () => {
  test('set where a group begins, its locks and its limit, before and after it is there, and across a restart', async () => {
    const broker = await open()
    broker.core.publish('topic:t', 'before')
    await broker.core.settle()
    const admin = broker.connect()
    expect(await configs(admin)).toMatchObject({ 'share.auto.offset.reset': 'latest', 'share.delivery.count.limit': '5' })
    const values = {
      'share.auto.offset.reset': 'earliest',
      'share.record.lock.duration.ms': '20000',
      'share.isolation.level': 'read_committed',
    }
    expect(await alter(admin, values)).toBe(0)
    await broker.core.crash()
    const later = broker.connect()
    expect(await configs(later)).toMatchObject(values)
    const one = await member(broker)
    const fetched = await one.fetch()
    expect(fetched.acquisitionLockTimeoutMs).toBe(20_000)
    expect(records(fetched)).toEqual(['0 before'])
    expect(await alter(later, { 'share.record.lock.duration.ms': null, 'share.delivery.count.limit': '2' })).toBe(0)
    expect(broker.core.broker.subscription('t', GROUP).delivery).toMatchObject({ leaseMs: 30_000, maxAttempts: 2 })
    expect(await alter(later, { 'share.auto.offset.reset': 'by_duration:PT1H' })).toBe(0)
    expect(await configs(later)).toMatchObject({ 'share.auto.offset.reset': 'by_duration:PT1H' })
    for (const wrong of [
      { 'share.auto.offset.reset': 'by_duration:1h' },
      { 'share.delivery.count.limit': '0' },
      { 'share.session.timeout.ms': '1000' },
      { 'share.isolation.level': 'none' },
      { unknown: '1' },
    ]) {
      expect(await alter(later, wrong)).toBe(errors.INVALID_CONFIG)
    }
  })

  test('send its dead letters to a topic, with what KIP-1191 has in them', async () => {
    const broker = await open()
    const admin = broker.connect()
    expect(await alter(admin, { 'errors.deadletterqueue.topic.name': 'dlq.t', 'share.delivery.count.limit': '2' })).toBe(0)
    expect(broker.core.broker.storedTopic('dlq.t').partitions).toHaveLength(1)
    expect(await configs(admin)).toMatchObject({
      'errors.deadletterqueue.topic.name': 'dlq.t',
      'errors.deadletterqueue.copy.record.enable': 'false',
    })
    const one = await member(broker, 'one', 'a', 'b')
    await one.fetch()
    await one.acknowledge([[0, 1, REJECT, RELEASE]])
    expect(await alter(admin, { 'errors.deadletterqueue.copy.record.enable': 'true' })).toBe(0)
    await one.fetch()
    await one.acknowledge([[1, 1, RELEASE]])
    await broker.core.settle()
    const dead = broker.core.read('topic:dlq.t', 'earliest')
    await broker.core.settle()
    const told = dead.messages.map(({ record }) =>
      Object.fromEntries(Object.entries(headersOf(record)).filter(([key]) => key.startsWith('__dlq.errors.'))),
    )
    const about = { '__dlq.errors.topic': 't', '__dlq.errors.partition': '0', '__dlq.errors.group': GROUP }
    const how = (offset: string, count: string, message: string): Record<string, string> => ({
      ...about,
      '__dlq.errors.offset': offset,
      '__dlq.errors.delivery.count': count,
      '__dlq.errors.message': message,
    })
    expect(told).toEqual([how('0', '1', 'rejected'), how('1', '2', 'max-attempts')])
    expect(dead.values).toEqual([null, 'b'])
    expect(info(broker)).toMatchObject({ ready: 0, deadLettered: 2 })
    expect(await alter(admin, { 'errors.deadletterqueue.topic.name': '__internal' })).toBe(errors.INVALID_CONFIG)
    expect(await alter(admin, { 'errors.deadletterqueue.topic.name': null })).toBe(0)
    expect(broker.core.broker.subscription('t', GROUP).delivery.deadLetter).toBeUndefined()
  })

  test('see how far a group is, move it, and let it go', async () => {
    const broker = await open()
    const one = await member(broker, 'one', 'a', 'b', 'c')
    const { peer } = one
    const offsets = async (): Promise<unknown> => {
      const { groups } = await peer.ask(describeShareGroupOffsets, 1, { groups: [{ groupId: GROUP, topics: null }] })
      return groups[0]!.topics.map(({ topicName, partitions }) => [topicName, partitions[0]!.startOffset, partitions[0]!.lag])
    }
    const move = async (startOffset: number): Promise<number> => {
      const topics = [{ topicName: 't', partitions: [{ partitionIndex: 0, startOffset }] }]
      const response = await peer.ask(alterShareGroupOffsets, 0, { groupId: GROUP, topics })
      return response.errorCode || response.responses[0]!.partitions[0]!.errorCode
    }
    const remove = async (): Promise<number> =>
      (await peer.ask(deleteShareGroupOffsets, 0, { groupId: GROUP, topics: [{ topicName: 't' }] })).errorCode
    await one.fetch()
    expect(
      await one.acknowledge([
        [0, 0, ACCEPT],
        [2, 2, ACCEPT],
      ]),
    ).toBe(0)
    expect(await offsets()).toEqual([['t', 1, 1]])
    expect(await move(0)).toBe(errors.NON_EMPTY_GROUP)
    expect(await remove()).toBe(errors.NON_EMPTY_GROUP)
    await one.acknowledge([], { epoch: -1 })
    await one.join(-1, null)
    expect(await move(0)).toBe(0)
    expect(await offsets()).toEqual([['t', 0, 3]])
    await broker.core.crash()
    const two = await member(broker, 'two')
    expect(records(await two.fetch())).toEqual(['0 a', '1 b', '2 c'])
    two.peer.close()
    await two.peer.settle()
    await broker.core.advance(46_000)
    const later = broker.connect()
    const topics = [{ topicName: 't', partitions: [{ partitionIndex: 0, startOffset: 2 }] }]
    expect(await later.ask(alterShareGroupOffsets, 0, { groupId: GROUP, topics })).toMatchObject({ errorCode: 0 })
    expect(info(broker)).toMatchObject({ ready: 1 })
    const gone = await later.ask(deleteShareGroupOffsets, 0, { groupId: GROUP, topics: [{ topicName: 't' }] })
    expect(gone).toMatchObject({ errorCode: 0, responses: [{ errorCode: 0 }] })
    expect(broker.core.broker.subscriptions('t')).toEqual([])
  })
})
