import { topicAddress } from '@millrace/wire'
import { orUndefined } from '../../../base/errors.ts'
import type { CommittedOffset, GroupProblem, OffsetCommit, OffsetCommitter, OffsetPlace } from '../../../core/broker.ts'
import { may, maySeeTopic } from '../access.ts'
import type { Decoded, Encodable } from '../codec/notation.ts'
import { errors } from '../errors.ts'
import { NO_TOPIC_ID, partitionOf } from '../handlers/topic-lookup.ts'
import { offsetCommit, offsetDelete, offsetFetch } from '../messages/groups.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { groupErrorCode, mayUseGroup, offsetProblemCode, problemCode } from './group-errors.ts'
import { checkMayConsume } from './group-kind.ts'
import { instanceOf } from './membership.ts'
import { subscribedTopics } from './subscription.ts'

const LATEST = -1
const EARLIEST = -2

type CommitRequest = Decoded<typeof offsetCommit.request>
type FetchedTopic = Encodable<(typeof offsetFetch.response.groups)[1]>['topics'][number]
type AskedTopic = Decoded<typeof offsetFetch.request>['groups'][number]['topics']

// ---- commit -----------------------------------------------------------------------------------------------------------

export const offsetCommitApi: ServedApi = serve(offsetCommit, (request, version, client) => {
  // By version 10 topics are named by their ids.
  const topics = request.topics.map((topic) => {
    const name = nameOf(client, topic.name, topic.topicId)
    if (name === undefined) return { ...topic, known: undefined, refusal: errors.UNKNOWN_TOPIC_ID }
    if (!may(client, 'read', topicAddress(name)))
      return { ...topic, known: undefined, refusal: errors.TOPIC_AUTHORIZATION_FAILED }
    return { ...topic, known: name, refusal: undefined }
  })
  const offsets: OffsetCommit[] = topics.flatMap(({ known, partitions }) =>
    known === undefined
      ? []
      : partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => ({
          topic: known,
          partition: partitionIndex,
          offset: placed(client, known, partitionIndex, committedOffset),
          leaderEpoch: committedLeaderEpoch,
          metadata: committedMetadata ?? '',
        })),
  )
  const codes = commit(client, request, offsets)
  let next = 0
  const answers = topics.map(({ name, topicId, refusal, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => {
      const errorCode = refusal ?? codes[next++]!
      return { partitionIndex, errorCode: version >= 9 ? errorCode : forOldClients(errorCode) }
    }),
  }))
  return new Durable(codes.includes(errors.NONE) ? client.broker.ticket() : 0, { topics: answers })
})

function commit(client: Client, request: CommitRequest, offsets: readonly OffsetCommit[]): readonly number[] {
  const { groupId } = request
  try {
    mayUseGroup(client, 'consume', groupId)
    checkMayConsume(client, groupId)
    const result = client.broker.groups.commitOffsets(groupId, offsets, committerOf(request))
    if (typeof result === 'string') return offsets.map(() => problemCode(result))
    return result.map(offsetProblemCode)
  } catch (error) {
    const code = groupErrorCode(error)
    return offsets.map(() => code)
  }
}

function committerOf({ generationIdOrMemberEpoch, memberId, groupInstanceId }: CommitRequest): OffsetCommitter | undefined {
  if (generationIdOrMemberEpoch < 0 && memberId === '' && groupInstanceId === null) return undefined
  return { memberId, generation: generationIdOrMemberEpoch, ...instanceOf(groupInstanceId) }
}

/** kafkajs resets a group by committing the place to begin at, as ListOffsets has it: -1 is the end, -2 the start. */
function placed({ broker }: Client, topic: string, partition: number, offset: number): number {
  if (offset !== LATEST && offset !== EARLIEST) return offset
  const bounds = orUndefined(() => partitionOf(broker.storedTopic(topic), partition).bounds())
  // Where there is none the commit is refused.
  if (bounds === undefined) return offset
  return offset === LATEST ? bounds.end : bounds.start
}

/** They do not know what it is to be stale. */
function forOldClients(errorCode: number): number {
  return errorCode === errors.STALE_MEMBER_EPOCH ? errors.ILLEGAL_GENERATION : errorCode
}

function nameOf(client: Client, name: string, topicId: string): string | undefined {
  return topicId === NO_TOPIC_ID ? name : client.broker.storedTopicById(topicId)?.name
}

// ---- fetch ------------------------------------------------------------------------------------------------------------

export const offsetFetchApi: ServedApi = serve(offsetFetch, (request, version, client) => {
  const { requireStable } = request
  if (version >= 8) {
    const groups = request.groups.map(({ groupId, memberId, memberEpoch, topics }) => {
      const by = memberId === null || memberId === '' ? undefined : { memberId, generation: memberEpoch }
      return { groupId, ...fetched(client, groupId, topics, requireStable, by) }
    })
    return { groups }
  }
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: NO_TOPIC_ID })) ?? null
  return fetched(client, request.groupId, topics, requireStable, undefined)
})

interface Fetched {
  readonly errorCode: number
  readonly topics: readonly (FetchedTopic & { readonly name: string })[]
}

function fetched(
  client: Client,
  group: string,
  asked: AskedTopic,
  requireStable: boolean,
  by: OffsetCommitter | undefined,
): Fetched {
  const { groups } = client.broker
  try {
    mayUseGroup(client, 'describe', group)
    const problem = readerProblem(client, group, by)
    if (problem !== undefined) return { errorCode: problemCode(problem), topics: [] }
    const topics = asked === null ? allTopics(client, groups.offsets(group), requireStable) : []
    for (const { name, topicId, partitionIndexes } of asked ?? []) {
      const known = nameOf(client, name, topicId)
      const refusal = refusalToSee(client, known)
      const partitions = partitionIndexes.map((index) =>
        known === undefined || refusal !== undefined
          ? { ...fetchedOffset(index, undefined), errorCode: refusal ?? errors.UNKNOWN_TOPIC_ID }
          : requireStable && groups.isPending(group, known, index)
            ? unstableOffset(index)
            : fetchedOffset(index, groups.offset(group, known, index)),
      )
      topics.push({ name, topicId, partitions })
    }
    return { errorCode: errors.NONE, topics }
  } catch (error) {
    return { errorCode: groupErrorCode(error), topics: [] }
  }
}

/** Only groups that the broker assigns to look at who reads their offsets. */
function readerProblem({ broker }: Client, group: string, by: OffsetCommitter | undefined): GroupProblem | undefined {
  const problem = by === undefined ? undefined : broker.groups.checkCommitter(group, by, false)
  return problem !== undefined && broker.groups.describe(group)?.type === 'consumer' ? problem : undefined
}

/** Why the offsets in a topic are not shown. */
function refusalToSee(client: Client, name: string | undefined): number | undefined {
  if (name === undefined) return errors.UNKNOWN_TOPIC_ID
  return maySeeTopic(client, name) ? undefined : errors.TOPIC_AUTHORIZATION_FAILED
}

function allTopics(client: Client, offsets: readonly CommittedOffset[], requireStable: boolean): TopicOffsets[] {
  const topics = new Map<string, TopicOffsets>()
  for (const offset of offsets) {
    const { topic: name, partition } = offset
    if (!maySeeTopic(client, name)) continue
    let topic = topics.get(name)
    if (topic === undefined) topics.set(name, (topic = { name, topicId: client.broker.storedTopic(name).id, partitions: [] }))
    topic.partitions.push(requireStable && offset.isPending ? unstableOffset(partition) : fetchedOffset(partition, offset))
  }
  return [...topics.values()]
}

interface TopicOffsets {
  readonly name: string
  readonly topicId: string
  readonly partitions: FetchedOffset[]
}

type FetchedOffset = FetchedTopic['partitions'][number]

const NO_OFFSET = { committedOffset: -1, committedLeaderEpoch: -1, metadata: '' }

/** Whoever begins there must know how the transaction ends: it asks again. */
function unstableOffset(partitionIndex: number): FetchedOffset {
  return { partitionIndex, ...NO_OFFSET, errorCode: errors.UNSTABLE_OFFSET_COMMIT }
}

function fetchedOffset(partitionIndex: number, offset: CommittedOffset | undefined): FetchedOffset {
  if (offset === undefined) return { partitionIndex, ...NO_OFFSET, errorCode: errors.NONE }
  return {
    partitionIndex,
    committedOffset: offset.offset,
    committedLeaderEpoch: offset.leaderEpoch,
    metadata: offset.metadata,
    errorCode: errors.NONE,
  }
}

// ---- delete -----------------------------------------------------------------------------------------------------------

export const offsetDeleteApi: ServedApi = serve(offsetDelete, ({ groupId, topics }, _, client) => {
  const { groups } = client.broker
  try {
    mayUseGroup(client, 'delete', groupId)
    const group = groups.describe(groupId)
    if (group === undefined) return { errorCode: errors.GROUP_ID_NOT_FOUND, topics: [] }
    const subscribed = subscribedTopics(group)
    if (subscribed === undefined) return { errorCode: errors.NON_EMPTY_GROUP, topics: [] }
    const refusals = new Map(topics.map(({ name }) => [name, refusalToDelete(client, subscribed, name)] as const))
    const places: OffsetPlace[] = topics
      .filter(({ name }) => refusals.get(name) === undefined)
      .flatMap(({ name, partitions }) => partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })))
    const deleted = groups.deleteOffsets(groupId, places)
    const answers = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: refusals.get(name) ?? errors.NONE,
      })),
    }))
    return new Durable(deleted === 0 ? 0 : client.broker.ticket(), { errorCode: errors.NONE, topics: answers })
  } catch (error) {
    return { errorCode: groupErrorCode(error), topics: [] }
  }
})

function refusalToDelete(client: Client, subscribed: ReadonlySet<string>, topic: string): number | undefined {
  if (!may(client, 'read', topicAddress(topic))) return errors.TOPIC_AUTHORIZATION_FAILED
  return subscribed.has(topic) ? errors.GROUP_SUBSCRIBED_TO_TOPIC : undefined
}
