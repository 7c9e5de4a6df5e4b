/** Groups as operators see them. */
import type { GroupDescription, GroupState, TopicPartitions } from '../../../core/broker.ts'
import { groupOperations, maySeeGroup, maySeeTopic, NOT_TOLD } from '../access.ts'
import type { Encodable } from '../codec/notation.ts'
import { errors } from '../errors.ts'
import { consumerGroupDescribe, deleteGroups, describeGroups, listGroups } from '../messages/groups.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { shareGroupState } from '../shares/membership.ts'
import { deleteShareGroup } from '../shares/offsets.ts'
import { groupErrorCode, mayUseGroup, problemCode } from './group-errors.ts'
import { isShareGroup, shareGroupNames } from './group-kind.ts'

type ClassicAnswer = Encodable<(typeof describeGroups.response.groups)[1]>
type ConsumerAnswer = Encodable<(typeof consumerGroupDescribe.response.groups)[1]>

const states: Readonly<Record<GroupState, string>> = {
  empty: 'Empty',
  stable: 'Stable',
  'preparing-rebalance': 'PreparingRebalance',
  'completing-rebalance': 'CompletingRebalance',
  assigning: 'Assigning',
  reconciling: 'Reconciling',
}
/** Of a group that does not exist. */
const DEAD = 'Dead'
const NO_BYTES: Uint8Array = new Uint8Array(0)
/** From here on, clients are told that a group does not exist. */
const TELLS_NOT_FOUND = 6
/** What a group that the broker assigns to consists of, in the version that tells. */
const CONSUMER_MEMBER = 1

export const listGroupsApi: ServedApi = serve(listGroups, ({ statesFilter, typesFilter }, _, client) => {
  const consumers = client.broker.groups
    .list()
    .map(({ name, protocolType, state, type }) => ({ groupId: name, protocolType, groupState: states[state], groupType: type }))
  const shares = shareGroupNames(client).map((name) => ({
    groupId: name,
    protocolType: 'share',
    groupState: shareGroupState(client, name),
    groupType: 'share',
  }))
  const groups = [...consumers, ...shares]
    .filter(({ groupState, groupType }) => isAmong(statesFilter, groupState) && isAmong(typesFilter, groupType))
    .filter(({ groupId }) => maySeeGroup(client, groupId))
  return { errorCode: errors.NONE, groups }
})

/** An empty filter takes everything. */
function isAmong(filter: readonly string[], text: string): boolean {
  return filter.length === 0 || filter.some((each) => each.toLowerCase() === text.toLowerCase())
}

export const describeGroupsApi: ServedApi = serve(describeGroups, (request, version, client) => ({
  groups: request.groups.map((groupId): ClassicAnswer => {
    try {
      mayUseGroup(client, 'describe', groupId)
      const group = client.broker.groups.describe(groupId)
      if (group?.type === 'classic') {
        const isAsked = request.includeAuthorizedOperations
        const authorizedOperations = isAsked ? groupOperations(client, groupId) : NOT_TOLD
        return { ...classicGroup(groupId, group), authorizedOperations }
      }
      const errorCode = version >= TELLS_NOT_FOUND ? errors.GROUP_ID_NOT_FOUND : errors.NONE
      return noGroup(groupId, errorCode, `there is no classic group ${groupId}`)
    } catch (error) {
      return noGroup(groupId, groupErrorCode(error), null)
    }
  }),
}))

function classicGroup(groupId: string, { state, protocolType, protocol, members }: GroupDescription): ClassicAnswer {
  return {
    errorCode: errors.NONE,
    groupId,
    groupState: states[state],
    protocolType,
    protocolData: protocol,
    members: members.map(({ memberId, instanceId, clientId, clientHost, classic }) => ({
      memberId,
      groupInstanceId: instanceId ?? null,
      clientId,
      clientHost,
      memberMetadata: classic?.metadata ?? NO_BYTES,
      memberAssignment: classic?.assignment ?? NO_BYTES,
    })),
  }
}

function noGroup(groupId: string, errorCode: number, errorMessage: string | null): ClassicAnswer {
  return { errorCode, errorMessage, groupId, groupState: DEAD, protocolType: '', protocolData: '', members: [] }
}

export const consumerGroupDescribeApi: ServedApi = serve(
  consumerGroupDescribe,
  ({ groupIds, includeAuthorizedOperations }, _, client) => ({
    groups: groupIds.map((groupId): ConsumerAnswer => {
      try {
        mayUseGroup(client, 'describe', groupId)
        const group = client.broker.groups.describe(groupId)
        if (group?.type === 'consumer') {
          if (!topicsOf(group).every((name) => maySeeTopic(client, name))) {
            const why = 'the group has members that read a topic of which the client may not know'
            return noConsumerGroup(groupId, errors.TOPIC_AUTHORIZATION_FAILED, why)
          }
          const authorizedOperations = includeAuthorizedOperations ? groupOperations(client, groupId) : NOT_TOLD
          return { ...consumerGroup(client, groupId, group), authorizedOperations }
        }
        return noConsumerGroup(groupId, errors.GROUP_ID_NOT_FOUND, `there is no consumer group ${groupId}`)
      } catch (error) {
        return noConsumerGroup(groupId, groupErrorCode(error), null)
      }
    }),
  }),
)

function topicsOf({ members }: GroupDescription): readonly string[] {
  return members.flatMap(({ consumer }) => [...(consumer?.topics ?? []), ...(consumer?.assigned ?? []).map(({ topic }) => topic)])
}

function consumerGroup(client: Client, groupId: string, group: GroupDescription): ConsumerAnswer {
  const { state, generation, assignmentEpoch, protocol } = group
  const members = group.members.map(({ memberId, instanceId, clientId, clientHost, consumer }) => ({
    memberId,
    instanceId: instanceId ?? null,
    memberEpoch: consumer?.epoch ?? 0,
    clientId,
    clientHost,
    subscribedTopicNames: consumer?.topics ?? [],
    subscribedTopicRegex: consumer?.pattern ?? null,
    assignment: { topicPartitions: withIds(client, consumer?.assigned ?? []) },
    targetAssignment: { topicPartitions: withIds(client, consumer?.target ?? []) },
    memberType: CONSUMER_MEMBER,
  }))
  const epochs = { groupEpoch: generation, assignmentEpoch: assignmentEpoch ?? generation }
  return { errorCode: errors.NONE, groupId, groupState: states[state], ...epochs, assignorName: protocol, members }
}

function noConsumerGroup(groupId: string, errorCode: number, errorMessage: string | null): ConsumerAnswer {
  return { errorCode, errorMessage, groupId, groupState: DEAD, groupEpoch: 0, assignmentEpoch: 0, assignorName: '', members: [] }
}

/** With the ids of topics; those that are gone are left out. */
export function withIds(
  { broker }: Client,
  assignment: readonly TopicPartitions[],
): { topicId: string; topicName: string; partitions: readonly number[] }[] {
  const ids = new Map(broker.storedTopics().map(({ name, id }) => [name, id]))
  return assignment.flatMap(({ topic, partitions }) => {
    const topicId = ids.get(topic)
    return topicId === undefined ? [] : [{ topicId, topicName: topic, partitions }]
  })
}

export const deleteGroupsApi: ServedApi = serve(deleteGroups, ({ groupsNames }, _, client) => {
  const results = groupsNames.map((groupId) => {
    try {
      mayUseGroup(client, 'delete', groupId)
      const problem = client.broker.groups.deleteGroup(groupId)
      if (problem !== 'not-found' || !isShareGroup(client, groupId)) return { groupId, errorCode: problemCode(problem) }
      deleteShareGroup(client, groupId)
      return { groupId, errorCode: errors.NONE }
    } catch (error) {
      return { groupId, errorCode: groupErrorCode(error) }
    }
  })
  const isChanged = results.some(({ errorCode }) => errorCode === errors.NONE)
  return new Durable(isChanged ? client.broker.ticket() : 0, { results })
})
