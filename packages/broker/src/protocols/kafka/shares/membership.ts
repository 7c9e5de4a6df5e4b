import { MillraceError } from '../../../base/errors.ts'
import type { Encodable } from '../codec/notation.ts'
import { errors, failure, KafkaError } from '../errors.ts'
import { groupErrorCode, mayUseGroup } from '../groups/group-errors.ts'
import { checkMayShare, isShareGroup } from '../groups/group-kind.ts'
import { whoIs } from '../groups/membership.ts'
import { findTopic } from '../handlers/topic-lookup.ts'
import { limits } from '../limits.ts'
import { shareGroupDescribe, shareGroupHeartbeat } from '../messages/shares.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import type { ShareAssignment } from './share-group.ts'
import { shareTimes } from './share-group.ts'
import { shareGroupsOf } from './share-groups.ts'
import { mayShare, sharePolicy } from './share-policy.ts'

type DescribedGroup = Encodable<(typeof shareGroupDescribe.response.groups)[1]>

const ASSIGNOR = 'simple'

/** The subscriptions of what a member names are created when it joins: from then on nothing is missed. */
export const shareGroupHeartbeatApi: ServedApi = serve(shareGroupHeartbeat, (request, _, client) => {
  const { groupId, memberId, memberEpoch, rackId, subscribedTopicNames: topics } = request
  const groups = shareGroupsOf(client)
  try {
    checkHeartbeat(request)
    mayUseGroup(client, 'consume', groupId)
    checkMayShare(client, groupId)
    const beat = { memberId, memberEpoch, rackId, topics, ...whoIs(client) }
    let isChanged = false
    const result = groups.groupOrNew(client, groupId).heartbeat(beat, (names) => {
      const { assignment, created } = assign(client, groupId, names)
      isChanged = created
      return assignment
    })
    const { heartbeatMs: heartbeatIntervalMs } = shareTimes
    if (result === undefined) return { errorCode: errors.NONE, memberId, memberEpoch, heartbeatIntervalMs }
    const { member, isTold } = result
    return new Durable(isChanged ? client.broker.ticket() : 0, {
      errorCode: errors.NONE,
      memberId,
      memberEpoch: member.epoch,
      heartbeatIntervalMs,
      assignment: isTold ? { topicPartitions: member.assignment } : null,
    })
  } catch (error) {
    const { errorMessage } = failure(error)
    return { errorCode: groupErrorCode(error), errorMessage, memberEpoch: 0, heartbeatIntervalMs: 0 }
  } finally {
    groups.tidy(groupId)
  }
})

/** @throws KafkaError INVALID_REQUEST */
function checkHeartbeat(request: {
  readonly groupId: string
  readonly memberId: string
  readonly memberEpoch: number
  readonly rackId: string | null
  readonly subscribedTopicNames: readonly string[] | null
}): void {
  const { groupId, memberId, memberEpoch, rackId, subscribedTopicNames: topics } = request
  const why =
    groupId === ''
      ? 'the group has no name'
      : memberId === '' || memberId.length > limits.memberIdLengthMax
        ? `a member id has 1 to ${limits.memberIdLengthMax} characters`
        : (rackId?.length ?? 0) > limits.memberIdLengthMax
          ? `a rack has at most ${limits.memberIdLengthMax} characters`
          : memberEpoch < -1
            ? `${memberEpoch} is no epoch`
            : memberEpoch === 0 && (topics === null || topics.length === 0)
              ? 'whoever joins names topics'
              : (topics?.length ?? 0) > limits.shareMemberTopicsMax
                ? `a member names at most ${limits.shareMemberTopicsMax} topics`
                : undefined
  if (why !== undefined) throw new KafkaError(errors.INVALID_REQUEST, why)
}

/** All partitions of the topics that there are. @throws MillraceError */
function assign(
  client: Client,
  group: string,
  topics: readonly string[],
): { readonly assignment: readonly ShareAssignment[]; readonly created: boolean } {
  const { broker } = client
  let created = false
  const assignment = [...new Set(topics)].toSorted().flatMap((name) => {
    mayShare(client, name, group)
    const topic = findTopic(broker, name)
    if (topic === undefined) return []
    created = subscribe(client, name, group) || created
    return [{ topicId: topic.id, topicName: name, partitions: topic.partitions.map((_, index) => index) }]
  })
  return { assignment, created }
}

/** @throws KafkaError INVALID_GROUP_ID, MillraceError */
function subscribe({ broker }: Client, topic: string, group: string): boolean {
  try {
    return broker.subscriptionGroups.subscribe(topic, group, sharePolicy)
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'illegal_name') throw error
    throw new KafkaError(errors.INVALID_GROUP_ID, error.message)
  }
}

export const shareGroupDescribeApi: ServedApi = serve(shareGroupDescribe, ({ groupIds }, _, client) => ({
  groups: groupIds.map((groupId): DescribedGroup => {
    try {
      mayUseGroup(client, 'describe', groupId)
      if (isShareGroup(client, groupId)) return described(client, groupId)
      return noGroup(groupId, errors.GROUP_ID_NOT_FOUND, `there is no share group ${groupId}`)
    } catch (error) {
      return noGroup(groupId, groupErrorCode(error), failure(error).errorMessage)
    }
  }),
}))

function described(client: Client, groupId: string): DescribedGroup {
  const group = shareGroupsOf(client).group(groupId)
  const members = [...(group?.members.values() ?? [])].map((member) => ({
    memberId: member.memberId,
    rackId: member.rackId,
    memberEpoch: member.epoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: member.topics,
    assignment: { topicPartitions: member.assignment },
  }))
  const epoch = group?.epoch ?? 0
  return {
    errorCode: errors.NONE,
    groupId,
    groupState: shareGroupState(client, groupId),
    groupEpoch: epoch,
    assignmentEpoch: epoch,
    assignorName: ASSIGNOR,
    members,
  }
}

function noGroup(groupId: string, errorCode: number, errorMessage: string | null): DescribedGroup {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: 'Dead',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  }
}

export function shareGroupState(client: Client, name: string): 'Stable' | 'Empty' {
  return shareGroupsOf(client).group(name) === undefined ? 'Empty' : 'Stable'
}
