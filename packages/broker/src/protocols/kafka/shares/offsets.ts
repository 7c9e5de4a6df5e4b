/** How far share groups are, as operators see it and move it. */
import type { Encodable } from '../codec/notation.ts'
import { errors, failure, KafkaError, success } from '../errors.ts'
import { groupErrorCode, mayUseGroup } from '../groups/group-errors.ts'
import { checkMayShare, isShareGroup } from '../groups/group-kind.ts'
import { findTopic, NO_TOPIC_ID } from '../handlers/topic-lookup.ts'
import { LEADER_EPOCH } from '../limits.ts'
import { alterShareGroupOffsets, deleteShareGroupOffsets, describeShareGroupOffsets } from '../messages/shares.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { shareGroupsOf } from './share-groups.ts'
import { mayShare, sharePolicy } from './share-policy.ts'

type DescribedTopic = Encodable<(typeof describeShareGroupOffsets.response.groups)[1]>['topics'][number]

export const describeShareGroupOffsetsApi: ServedApi = serve(describeShareGroupOffsets, ({ groups }, _, client) => ({
  groups: groups.map(({ groupId, topics }) => {
    try {
      mayUseGroup(client, 'describe', groupId)
      checkExists(client, groupId)
      const all = new Set(client.broker.subscriptionGroups.topics(groupId))
      const asked = topics ?? [...all].map((topicName) => ({ topicName, partitions: undefined }))
      const described = asked.map(({ topicName, partitions }) =>
        describedTopic(client, groupId, topicName, partitions, all.has(topicName)),
      )
      return { groupId, topics: described, ...success }
    } catch (error) {
      return { groupId, topics: [], ...groupFailure(error) }
    }
  }),
}))

/**
 * @param asked all partitions without
 * @param isRead whether it has the subscription
 */
function describedTopic(
  client: Client,
  group: string,
  topicName: string,
  asked: readonly number[] | undefined,
  isRead: boolean,
): DescribedTopic {
  const { broker } = client
  const topic = findTopic(broker, topicName)
  const progress = isRead ? broker.subscriptionGroups.progress(topicName, group) : []
  const partitions = (asked ?? progress.map((_, index) => index)).map((partitionIndex) => {
    const { floor, unsettled } = progress[partitionIndex] ?? { floor: -1, unsettled: -1 }
    const isThere = topic?.partitions[partitionIndex] !== undefined
    const errorCode = isThere ? errors.NONE : errors.UNKNOWN_TOPIC_OR_PARTITION
    return { partitionIndex, startOffset: floor, leaderEpoch: LEADER_EPOCH, lag: unsettled, errorCode, errorMessage: null }
  })
  return { topicName, topicId: topic?.id ?? NO_TOPIC_ID, partitions }
}

export const alterShareGroupOffsetsApi: ServedApi = serve(alterShareGroupOffsets, ({ groupId, topics }, _, client) => {
  try {
    mayUseGroup(client, 'delete', groupId)
    checkMayShare(client, groupId)
    checkIdle(client, groupId)
    const responses = topics.map(({ topicName, partitions }) => ({
      topicName,
      topicId: findTopic(client.broker, topicName)?.id ?? NO_TOPIC_ID,
      partitions: partitions.map(({ partitionIndex, startOffset }) => {
        try {
          mayShare(client, topicName, groupId)
          client.broker.subscriptionGroups.subscribe(topicName, groupId, sharePolicy)
          client.broker.subscriptionGroups.seek(topicName, groupId, partitionIndex, startOffset)
          return { partitionIndex, ...success }
        } catch (error) {
          return { partitionIndex, ...failure(error) }
        }
      }),
    }))
    const isChanged = responses.some(({ partitions }) => partitions.some(({ errorCode }) => errorCode === errors.NONE))
    return new Durable(isChanged ? client.broker.ticket() : 0, { ...success, responses })
  } catch (error) {
    return { ...groupFailure(error), responses: [] }
  }
})

export const deleteShareGroupOffsetsApi: ServedApi = serve(deleteShareGroupOffsets, ({ groupId, topics }, _, client) => {
  try {
    mayUseGroup(client, 'delete', groupId)
    checkExists(client, groupId)
    checkIdle(client, groupId)
    const responses = topics.map(({ topicName }) => {
      const topicId = findTopic(client.broker, topicName)?.id ?? NO_TOPIC_ID
      try {
        mayShare(client, topicName, groupId)
        client.broker.deleteSubscription(topicName, groupId)
        return { topicName, topicId, ...success }
      } catch (error) {
        return { topicName, topicId, ...failure(error) }
      }
    })
    const isChanged = responses.some(({ errorCode }) => errorCode === errors.NONE)
    return new Durable(isChanged ? client.broker.ticket() : 0, { ...success, responses })
  } catch (error) {
    return { ...groupFailure(error), responses: [] }
  }
})

/** Ends all subscriptions of a group. @throws KafkaError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, MillraceError `forbidden` */
export function deleteShareGroup(client: Client, group: string): void {
  checkExists(client, group)
  checkIdle(client, group)
  const topics = client.broker.subscriptionGroups.topics(group)
  for (const topic of topics) mayShare(client, topic, group)
  for (const topic of topics) client.broker.deleteSubscription(topic, group)
}

function groupFailure(error: unknown): { errorCode: number; errorMessage: string | null } {
  return { errorCode: groupErrorCode(error), errorMessage: failure(error).errorMessage }
}

/** @throws KafkaError GROUP_ID_NOT_FOUND */
function checkExists(client: Client, group: string): void {
  if (!isShareGroup(client, group)) throw new KafkaError(errors.GROUP_ID_NOT_FOUND, `there is no share group ${group}`)
}

/** No members, and nobody who consumes by other ways. @throws KafkaError NON_EMPTY_GROUP */
function checkIdle(client: Client, group: string): void {
  if (shareGroupsOf(client).group(group) === undefined && client.broker.subscriptionGroups.isIdle(group)) return
  throw new KafkaError(errors.NON_EMPTY_GROUP, `${group} has members, or consumers`)
}
