/** What there is to tell of a cluster of one. */
import type { StoredTopic } from '../../../core/broker.ts'
import type { Encodable } from '../codec/notation.ts'
import {
  clusterOperations,
  may,
  NOT_TOLD,
  permitSeeingGroup,
  permitSeeingTopic,
  permitSeeingTransaction,
  topicOperations,
} from '../access.ts'
import { errorCodeOf, errors, failure, KafkaError, success } from '../errors.ts'
import { LEADER_EPOCH, limits, LOG_DIRECTORY, NODE_ID } from '../limits.ts'
import { describeCluster, describeLogDirs, describeTopicPartitions, findCoordinator } from '../messages/cluster.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'
import { NO_TOPIC_ID, topicOf, visibleTopics } from './topic-lookup.ts'

type DescribedTopic = Encodable<(typeof describeTopicPartitions.response.topics)[1]>

export const describeClusterApi: ServedApi = serve(describeCluster, (request, _, client) => ({
  errorCode: errors.NONE,
  errorMessage: null,
  endpointType: request.endpointType,
  clusterId: client.broker.id,
  controllerId: NODE_ID,
  brokers: [{ brokerId: NODE_ID, ...client.address, rack: null }],
  clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations(client) : NOT_TOLD,
}))

/** Kinds of what is coordinated. */
const GROUP = 0
const TRANSACTION = 1

/** This broker coordinates everything. */
export const findCoordinatorApi: ServedApi = serve(findCoordinator, (request, _, client) => {
  const find = (key: string): Coordinator => ({ key, ...coordinatorOf(client, request.keyType, key) })
  return { ...find(request.key), coordinators: request.coordinatorKeys.map(find) }
})

type Coordinator = Encodable<(typeof findCoordinator.response.coordinators)[1]>

function coordinatorOf(client: Client, keyType: number, key: string): Omit<Coordinator, 'key'> {
  try {
    if (keyType === TRANSACTION) permitSeeingTransaction(client, key)
    else if (keyType === GROUP) permitSeeingGroup(client, key)
    else throw new KafkaError(errors.INVALID_REQUEST, `nothing coordinates keys of type ${keyType}`)
    return { nodeId: NODE_ID, ...client.address, ...success }
  } catch (error) {
    return { nodeId: -1, host: '', port: -1, ...failure(error) }
  }
}

/** One directory, as far as clients are concerned, with what the stored batches take. */
export const describeLogDirsApi: ServedApi = serve(describeLogDirs, ({ topics }, _, client) => {
  if (!may(client, 'describe', 'broker')) return { errorCode: errors.CLUSTER_AUTHORIZATION_FAILED, results: [] }
  const asked = topics?.map(({ topic, partitions }) => ({ name: topic, partitions: new Set(partitions) }))
  const wanted = visibleTopics(client).flatMap((topic) => {
    const which = asked?.find(({ name }) => name === topic.name)
    return asked !== undefined && which === undefined ? [] : [{ name: topic.name, partitions: sizes(topic, which?.partitions) }]
  })
  return { errorCode: errors.NONE, results: [{ errorCode: errors.NONE, logDir: LOG_DIRECTORY, topics: wanted }] }
})

function sizes(
  topic: StoredTopic,
  which: ReadonlySet<number> | undefined,
): { partitionIndex: number; partitionSize: number; offsetLag: number; isFutureKey: boolean }[] {
  return topic.partitions.flatMap((partition, partitionIndex) =>
    which !== undefined && !which.has(partitionIndex)
      ? []
      : [{ partitionIndex, partitionSize: Math.round(partition.bounds().bytes), offsetLag: 0, isFutureKey: false }],
  )
}

export const describeTopicPartitionsApi: ServedApi = serve(describeTopicPartitions, (request, _, client) => {
  const { topics, cursor } = request
  const names = topics.length === 0 ? visibleTopics(client).map(({ name }) => name) : topics.map(({ name }) => name)
  const sorted = names.toSorted().filter((name) => cursor === null || name >= cursor.topicName)
  let left = Math.max(1, Math.min(request.responsePartitionLimit, limits.describedPartitionsMax))
  const answers: TopicDescription[] = []
  let nextCursor: { topicName: string; partitionIndex: number } | null = null
  for (const name of sorted) {
    const from = cursor?.topicName === name ? Math.max(0, cursor.partitionIndex) : 0
    if (left === 0) {
      nextCursor = { topicName: name, partitionIndex: from }
      break
    }
    const answer = describeTopic(client, name, from, left)
    answers.push(answer)
    left -= answer.partitions.length
    if (from + answer.partitions.length >= answer.count) continue
    nextCursor = { topicName: name, partitionIndex: from + answer.partitions.length }
    break
  }
  return { topics: answers, nextCursor }
})

interface TopicDescription extends DescribedTopic {
  /** Partitions that it has. */
  readonly count: number
}

function describeTopic(client: Client, name: string, from: number, max: number): TopicDescription {
  try {
    permitSeeingTopic(client, name)
    const topic = topicOf(client.broker, name, NO_TOPIC_ID)
    const partitions = topic.partitions.slice(from, from + max).map((_, n) => ({
      errorCode: errors.NONE,
      partitionIndex: from + n,
      leaderId: NODE_ID,
      leaderEpoch: LEADER_EPOCH,
      replicaNodes: [NODE_ID],
      isrNodes: [NODE_ID],
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: [],
    }))
    const about = { topicId: topic.id, isInternal: false, topicAuthorizedOperations: topicOperations(client, name) }
    return { errorCode: errors.NONE, name, ...about, partitions, count: topic.partitions.length }
  } catch (error) {
    const nothing = { topicId: NO_TOPIC_ID, isInternal: false, topicAuthorizedOperations: NOT_TOLD, partitions: [], count: 0 }
    return { errorCode: errorCodeOf(error), name, ...nothing }
  }
}
