import { describe, expect, test } from 'vitest'
import { KafkaBroker, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import type { Decoded } from '../codec/notation.ts'
import { errors } from '../errors.ts'
import {
  consumerGroupDescribe,
  consumerGroupHeartbeat,
  deleteGroups,
  describeGroups,
  heartbeat,
  joinGroup,
  leaveGroup,
  listGroups,
  offsetCommit,
  offsetDelete,
  offsetFetch,
  syncGroup,
} from '../messages/groups.ts'

/** What a consumer tells: version 0, the topic `t`, no data. */
const SUBSCRIPTION = Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 1, 0x74, 0xff, 0xff, 0xff, 0xff)

interface Member {
  readonly memberId: string
  readonly generationId: number
}

async function open(): Promise<{ broker: KafkaBroker; peer: KafkaPeer }> {
  const broker = await KafkaBroker.open()
  broker.core.broker.createTopic({ name: 't', partitions: 2 })
  await broker.core.settle()
  return { broker, peer: broker.connect() }
}

function joinRequest(memberId: string, more: { groupInstanceId?: string } = {}): Parameters<typeof sendJoin>[1] {
  const protocols = [{ name: 'range', metadata: SUBSCRIPTION }]
  return {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 5000,
    memberId,
    protocolType: 'consumer',
    protocols,
    ...more,
  }
}

function sendJoin(peer: KafkaPeer, request: Parameters<typeof peer.send<typeof joinGroup>>[2], version = 7): void {
  peer.send(joinGroup, version, request)
}

/** Joins alone and assigns itself something. */
async function member(broker: KafkaBroker, peer: KafkaPeer): Promise<Member> {
  const { errorCode, memberId } = await peer.ask(joinGroup, 7, joinRequest(''))
  expect(errorCode).toBe(errors.MEMBER_ID_REQUIRED)
  sendJoin(peer, joinRequest(memberId))
  await broker.core.advance(1000)
  const joined = peer.take(joinGroup, 7)
  expect(joined).toMatchObject({ errorCode: 0, leader: memberId, protocolName: 'range', protocolType: 'consumer' })
  expect(joined.members.map(({ metadata }) => metadata)).toEqual([SUBSCRIPTION])
  const { generationId } = joined
  const assignments = [{ memberId, assignment: Uint8Array.of(1, 2, 3) }]
  const synced = await peer.ask(syncGroup, 5, {
    groupId: 'g',
    generationId,
    memberId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments,
  })
  expect(synced).toMatchObject({ errorCode: 0, assignment: Uint8Array.of(1, 2, 3) })
  return { memberId, generationId }
}

async function commit(peer: KafkaPeer, offset: number, by: Partial<Member> = {}, partitionIndex = 0): Promise<number> {
  const { memberId = '', generationId = -1 } = by
  const topics = [{ name: 't', partitions: [{ partitionIndex, committedOffset: offset, committedMetadata: 'note' }] }]
  const answer = await peer.ask(offsetCommit, 8, { groupId: 'g', generationIdOrMemberEpoch: generationId, memberId, topics })
  return answer.topics[0]!.partitions[0]!.errorCode
}

async function fetchOffset(peer: KafkaPeer, partition = 0): Promise<unknown> {
  const { groups } = await peer.ask(offsetFetch, 8, {
    groups: [{ groupId: 'g', topics: [{ name: 't', partitionIndexes: [partition] }] }],
  })
  return groups[0]!.topics[0]!.partitions[0]
}

describe('members', () => {
  test('join, assign, live and leave', async () => {
    const { broker, peer } = await open()
    const { memberId, generationId } = await member(broker, peer)
    const live = async (generation: number): Promise<number> =>
      (await peer.ask(heartbeat, 4, { groupId: 'g', generationId: generation, memberId })).errorCode
    expect(await live(generationId)).toBe(0)
    expect(await live(generationId + 1)).toBe(errors.ILLEGAL_GENERATION)
    const left = await peer.ask(leaveGroup, 4, { groupId: 'g', members: [{ memberId }, { memberId: 'x' }] })
    expect(left.members.map(({ errorCode }) => errorCode)).toEqual([0, errors.UNKNOWN_MEMBER_ID])
    expect(await live(generationId)).toBe(errors.UNKNOWN_MEMBER_ID)
    expect((await peer.ask(leaveGroup, 1, { groupId: 'g', memberId })).errorCode).toBe(errors.UNKNOWN_MEMBER_ID)
  })

  test('that come later make the others join again', async () => {
    const { broker, peer } = await open()
    const first = await member(broker, peer)
    const other = broker.connect()
    sendJoin(other, joinRequest(''), 3)
    await broker.core.settle()
    const { errorCode } = await peer.ask(heartbeat, 4, { groupId: 'g', ...first })
    expect(errorCode).toBe(errors.REBALANCE_IN_PROGRESS)
    const again = await peer.ask(joinGroup, 7, joinRequest(first.memberId))
    expect(again.generationId).toBe(first.generationId + 1)
    expect(again.members).toHaveLength(2)
    const joined = other.take(joinGroup, 3)
    expect(joined).toMatchObject({ errorCode: 0, leader: first.memberId, members: [] })
    // A follower waits for what the leader says.
    other.send(syncGroup, 0, { groupId: 'g', generationId: joined.generationId, memberId: joined.memberId, assignments: [] })
    await broker.core.settle()
    expect(other.waiting).toEqual([])
    const assignments = [{ memberId: joined.memberId, assignment: Uint8Array.of(9) }]
    await peer.ask(syncGroup, 3, { groupId: 'g', generationId: again.generationId, memberId: first.memberId, assignments })
    expect(other.take(syncGroup, 0).assignment).toEqual(Uint8Array.of(9))
  })

  test('are refused what cannot be', async () => {
    const { peer } = await open()
    const codeOf = async (change: object): Promise<number> =>
      (await peer.ask(joinGroup, 5, { ...joinRequest('', { groupInstanceId: 'i' }), ...change })).errorCode
    expect(await codeOf({ groupId: '' })).toBe(errors.INVALID_GROUP_ID)
    expect(await codeOf({ sessionTimeoutMs: 1 })).toBe(errors.INVALID_SESSION_TIMEOUT)
    expect(await codeOf({ protocols: [] })).toBe(errors.INCONSISTENT_GROUP_PROTOCOL)
    expect(await codeOf({ memberId: 'stranger' })).toBe(errors.UNKNOWN_MEMBER_ID)
  })
})

describe('offsets', () => {
  test('are committed by members, and by anybody while there are none', async () => {
    const { broker, peer } = await open()
    expect(await commit(peer, 3)).toBe(0)
    expect(await fetchOffset(peer)).toMatchObject({ committedOffset: 3, metadata: 'note', errorCode: 0 })
    expect(await fetchOffset(peer, 1)).toMatchObject({ committedOffset: -1, errorCode: 0 })
    const by = await member(broker, peer)
    expect(await commit(peer, 4)).toBe(errors.UNKNOWN_MEMBER_ID)
    expect(await commit(peer, 4, by)).toBe(0)
    expect(await commit(peer, 5, { ...by, generationId: 99 })).toBe(errors.ILLEGAL_GENERATION)
    expect(await commit(peer, 5, by, 7)).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION)
    await broker.core.crash()
    const again = broker.connect()
    expect(await fetchOffset(again)).toMatchObject({ committedOffset: 4 })
    const all = await again.ask(offsetFetch, 5, { groupId: 'g', topics: null })
    expect(all.topics).toMatchObject([{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 4 }] }])
  })

  test('by the ids of topics', async () => {
    const { broker, peer } = await open()
    const { id } = broker.core.broker.storedTopic('t')
    const topics = [
      { topicId: 'f'.repeat(32), partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }] },
      { topicId: id, partitions: [{ partitionIndex: 1, committedOffset: 2, committedMetadata: null }] },
    ]
    const committed = await peer.ask(offsetCommit, 10, { groupId: 'g', topics })
    expect(committed.topics.map(({ partitions }) => partitions[0]!.errorCode)).toEqual([errors.UNKNOWN_TOPIC_ID, 0])
    const asked = [{ topicId: id, partitionIndexes: [1] }]
    const { groups } = await peer.ask(offsetFetch, 10, { groups: [{ groupId: 'g', topics: asked }] })
    expect(groups[0]!.topics[0]).toMatchObject({ topicId: id, partitions: [{ committedOffset: 2 }] })
  })

  test('may be places, as kafkajs commits them', async () => {
    const { broker, peer } = await open()
    broker.core.publishKeyed('topic:t', 0, [[null, 'a']])
    await broker.core.settle()
    expect(await commit(peer, -1)).toBe(0)
    expect(await fetchOffset(peer)).toMatchObject({ committedOffset: 1 })
    expect(await commit(peer, -2)).toBe(0)
    expect(await fetchOffset(peer)).toMatchObject({ committedOffset: 0 })
    expect(await commit(peer, -3)).toBe(errors.INVALID_REQUEST)
    expect(await commit(peer, -1, {}, 9)).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('are deleted where nobody reads', async () => {
    const { broker, peer } = await open()
    const remove = async (name: string): Promise<unknown> => {
      const { errorCode, topics } = await peer.ask(offsetDelete, 0, {
        groupId: 'g',
        topics: [{ name, partitions: [{ partitionIndex: 0 }] }],
      })
      return [errorCode, ...topics.flatMap(({ partitions }) => partitions.map((partition) => partition.errorCode))]
    }
    expect(await remove('t')).toEqual([errors.GROUP_ID_NOT_FOUND])
    await commit(peer, 1)
    expect(await remove('t')).toEqual([0, 0])
    expect(await fetchOffset(peer)).toMatchObject({ committedOffset: -1 })
    await commit(peer, 1)
    await member(broker, peer)
    expect(await remove('t')).toEqual([0, errors.GROUP_SUBSCRIBED_TO_TOPIC])
    expect(await remove('other')).toEqual([0, 0])
  })
})

describe('groups', () => {
  test('are listed, described and deleted', async () => {
    const { broker, peer } = await open()
    const { memberId } = await member(broker, peer)
    const { groups } = await peer.ask(listGroups, 5, { statesFilter: ['stable'], typesFilter: ['Classic'] })
    expect(groups).toEqual([{ groupId: 'g', protocolType: 'consumer', groupState: 'Stable', groupType: 'classic' }])
    expect((await peer.ask(listGroups, 4, { statesFilter: ['Empty'] })).groups).toEqual([])
    const described = await peer.ask(describeGroups, 5, { groups: ['g', 'none'], includeAuthorizedOperations: false })
    expect(described.groups[0]).toMatchObject({
      groupState: 'Stable',
      protocolData: 'range',
      members: [{ memberId, clientId: 'a client' }],
    })
    expect(described.groups[1]).toMatchObject({ errorCode: 0, groupState: 'Dead' })
    const newer = await peer.ask(describeGroups, 6, { groups: ['none'], includeAuthorizedOperations: false })
    expect(newer.groups[0]!.errorCode).toBe(errors.GROUP_ID_NOT_FOUND)
    const remove = async (): Promise<number> => (await peer.ask(deleteGroups, 2, { groupsNames: ['g'] })).results[0]!.errorCode
    expect(await remove()).toBe(errors.NON_EMPTY_GROUP)
    await peer.ask(leaveGroup, 3, { groupId: 'g', members: [{ memberId }] })
    expect(await remove()).toBe(0)
    expect(await remove()).toBe(errors.GROUP_ID_NOT_FOUND)
  })

  test('whose partitions the broker shares out', async () => {
    const { broker, peer } = await open()
    const { id } = broker.core.broker.storedTopic('t')
    const join = {
      groupId: 'c',
      memberId: 'm',
      memberEpoch: 0,
      rebalanceTimeoutMs: 5000,
      subscribedTopicNames: ['t'],
      topicPartitions: [],
    }
    const joined = await peer.ask(consumerGroupHeartbeat, 1, join)
    expect(joined).toMatchObject({
      errorCode: 0,
      memberId: 'm',
      assignment: { topicPartitions: [{ topicId: id, partitions: [0, 1] }] },
    })
    const { memberEpoch } = joined
    const topicPartitions = [{ topicId: id, partitions: [0, 1] }]
    const live = await peer.ask(consumerGroupHeartbeat, 1, { groupId: 'c', memberId: 'm', memberEpoch, topicPartitions })
    expect(live).toMatchObject({ errorCode: 0, memberEpoch, assignment: null })
    const { groups } = await peer.ask(consumerGroupDescribe, 1, { groupIds: ['c', 'none'], includeAuthorizedOperations: false })
    expect(groups[0]).toMatchObject({
      errorCode: 0,
      groupState: 'Stable',
      members: [{ memberId: 'm', memberEpoch, subscribedTopicNames: ['t'] }],
    })
    expect(groups[0]!.members[0]!.assignment.topicPartitions).toEqual([{ topicId: id, topicName: 't', partitions: [0, 1] }])
    expect(groups[1]!.errorCode).toBe(errors.GROUP_ID_NOT_FOUND)
    const wrong = await peer.ask(consumerGroupHeartbeat, 1, { ...join, memberEpoch: 77 })
    expect(wrong.errorCode).toBe(errors.FENCED_MEMBER_EPOCH)
    // Clients leave with times and lists that mean nothing.
    const left = await peer.ask(consumerGroupHeartbeat, 1, { ...join, memberEpoch: -1, rebalanceTimeoutMs: 0 })
    expect(left).toMatchObject({ errorCode: 0, memberEpoch: -1 })
  })

  test('read the topics that their pattern takes, also those that come later', async () => {
    // So that the answers come in the same turn.
    await import('re2js')
    const { broker, peer } = await open()
    const reader = { groupId: 'c', memberId: 'm', rebalanceTimeoutMs: 10_000, topicPartitions: [] }
    const pattern = { ...reader, memberEpoch: 0, subscribedTopicNames: null, subscribedTopicRegex: 'orders-(eu|us)' }
    broker.core.broker.createTopic({ name: 'orders-eu' })
    broker.core.broker.createTopic({ name: 'old-orders-eu' })
    const namesOf = ({ assignment }: Decoded<typeof consumerGroupHeartbeat.response>): string[] | undefined =>
      assignment?.topicPartitions.map(({ topicId }) => broker.core.broker.storedTopicById(topicId)!.name)
    const joined = await peer.ask(consumerGroupHeartbeat, 1, pattern)
    expect(namesOf(joined)).toEqual(['orders-eu'])
    broker.core.broker.createTopic({ name: 'orders-us' })
    const later = await peer.ask(consumerGroupHeartbeat, 1, {
      ...reader,
      memberEpoch: joined.memberEpoch,
      rebalanceTimeoutMs: -1,
      topicPartitions: null,
    })
    expect(namesOf(later)).toEqual(['orders-eu', 'orders-us'])
    const { groups } = await peer.ask(consumerGroupDescribe, 1, { groupIds: ['c'], includeAuthorizedOperations: false })
    expect(groups[0]!.members[0]).toMatchObject({ subscribedTopicRegex: 'orders-(eu|us)', subscribedTopicNames: [] })
    // Offsets of what it reads are its own.
    const topics = [{ name: 'orders-us', partitions: [{ partitionIndex: 0 }] }]
    const kept = await peer.ask(offsetDelete, 0, { groupId: 'c', topics })
    expect(kept.topics[0]!.partitions[0]!.errorCode).toBe(errors.GROUP_SUBSCRIBED_TO_TOPIC)
    for (const subscribedTopicRegex of ['orders-(', 'a'.repeat(5000)]) {
      const refused = await peer.ask(consumerGroupHeartbeat, 1, { ...pattern, memberId: 'n', subscribedTopicRegex })
      expect(refused.errorCode).toBe(errors.INVALID_REGULAR_EXPRESSION)
    }
  })
})
