/** Members that the broker assigns to (KIP-848). */
import type { ConsumerHeartbeat, TopicPartitions, TopicPattern } from '../../../core/broker.ts'
import { permitSeeingTopic } from '../access.ts'
import type { Decoded, Encodable } from '../codec/notation.ts'
import { errorCodeOf, errors, failure } from '../errors.ts'
import { consumerGroupHeartbeat } from '../messages/groups.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'
import { withIds } from './describing.ts'
import { groupErrorCode, mayUseGroup, problemCode } from './group-errors.ts'
import { checkMayConsume } from './group-kind.ts'
import { instanceOf, whoIs } from './membership.ts'
import { patternOf } from './topic-pattern.ts'

type Request = Decoded<typeof consumerGroupHeartbeat.request>
type Answer = Encodable<typeof consumerGroupHeartbeat.response>

/** Where it is as it was. */
const UNCHANGED = -1

export const consumerGroupHeartbeatApi: ServedApi = serve(consumerGroupHeartbeat, (request, _, client) => {
  const { subscribedTopicRegex: source } = request
  if (source === null) return answer(client, request, undefined)
  if (source === '') return answer(client, request, null)
  return patternOf(client, source).then(
    (pattern) => answer(client, request, pattern),
    (error: unknown) => refused(errorCodeOf(error), failure(error).errorMessage),
  )
})

/** @param pattern what a heartbeat of the core has */
function answer(client: Client, request: Request, pattern: TopicPattern | null | undefined): Answer {
  const { groupId, memberId, memberEpoch, instanceId } = request
  try {
    mayUseGroup(client, 'consume', groupId)
    checkMayConsume(client, groupId)
    for (const name of request.subscribedTopicNames ?? []) permitSeeingTopic(client, name)
    const result = client.broker.groups.consumerHeartbeat({
      group: groupId,
      memberId,
      epoch: memberEpoch,
      ...instanceOf(instanceId),
      ...whoIs(client),
      ...(memberEpoch < 0 ? {} : sayings(client, request)),
      ...(pattern === undefined ? {} : { pattern }),
    })
    if (result.problem !== undefined) return refused(problemCode(result.problem), null)
    const { assignment } = result
    return {
      errorCode: errors.NONE,
      memberId: result.memberId,
      memberEpoch: result.epoch,
      heartbeatIntervalMs: result.heartbeatIntervalMs,
      assignment: assignment === undefined ? null : { topicPartitions: withIds(client, assignment) },
    }
  } catch (error) {
    return refused(groupErrorCode(error), failure(error).errorMessage)
  }
}

/** What a member tells of itself, which is of no interest when it leaves. */
function sayings(client: Client, request: Request): Partial<ConsumerHeartbeat> {
  const { rebalanceTimeoutMs, subscribedTopicNames, serverAssignor } = request
  const owned = ownedBy(client, request)
  return {
    ...(rebalanceTimeoutMs === UNCHANGED ? {} : { rebalanceTimeoutMs }),
    ...(subscribedTopicNames === null ? {} : { topics: subscribedTopicNames }),
    ...(serverAssignor === null ? {} : { assignor: serverAssignor }),
    ...(owned === undefined ? {} : { owned }),
  }
}

function refused(errorCode: number, errorMessage: string | null): Answer {
  return { errorCode, errorMessage, memberEpoch: 0, heartbeatIntervalMs: 0 }
}

/** What it reads, by names; topics that are gone are nobody's. */
function ownedBy({ broker }: Client, { topicPartitions }: Request): readonly TopicPartitions[] | undefined {
  return topicPartitions?.flatMap(({ topicId, partitions }) => {
    const topic = broker.storedTopicById(topicId)
    return topic === undefined ? [] : [{ topic: topic.name, partitions }]
  })
}
