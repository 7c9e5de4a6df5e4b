import { topicAddress } from '@millrace/wire'
import { MillraceError } from '../../../base/errors.ts'
import type { StoredTopic } from '../../../core/broker.ts'
import { checkBareName } from '../../../core/names.ts'
import { clusterOperations, NOT_TOLD, permitCreatingOnUse, permitSeeingTopic, topicOperations } from '../access.ts'
import { metadataCodec } from '../codec/hot/metadata-codec.ts'
import type { Encodable } from '../codec/notation.ts'
import { errors, failure, KafkaError } from '../errors.ts'
import { LEADER_EPOCH, NODE_ID } from '../limits.ts'
import { metadata } from '../messages/cluster.ts'
import { type Client, Durable, serveHot, type ServedApi } from '../served-api.ts'
import { NO_TOPIC_ID, topicOf, visibleTopics } from './topic-lookup.ts'

type TopicAnswer = Encodable<(typeof metadata.response.topics)[1]>

export const metadataApi: ServedApi = serveHot(metadata, metadataCodec, (request, version, client) => {
  const { broker } = client
  const isAll = request.topics === null || (version === 0 && request.topics.length === 0)
  const operations = (name: string): number =>
    request.includeTopicAuthorizedOperations ? topicOperations(client, name) : NOT_TOLD
  let ticket = 0
  const lookUp = (name: string | null, topicId: string): TopicAnswer => {
    try {
      const topic = find(client, name, topicId)
      if (topic !== undefined) return described(topic, operations(topic.name))
      if (name === null) throw new KafkaError(errors.INVALID_REQUEST, 'a topic is named, or has an id')
      const created = create(client, name, request.allowAutoTopicCreation)
      // It must be there before anybody hears of it.
      ticket = broker.ticket()
      return described(created, operations(name))
    } catch (error) {
      return { ...failure(error), name: name ?? (version >= 12 ? null : ''), topicId, isInternal: false, partitions: [] }
    }
  }
  const response = {
    brokers: [{ nodeId: NODE_ID, ...client.address, rack: null }],
    clusterId: broker.id,
    controllerId: NODE_ID,
    topics: isAll
      ? visibleTopics(client).map((topic) => described(topic, operations(topic.name)))
      : request.topics.map(({ name, topicId }) => lookUp(name, topicId)),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations(client) : NOT_TOLD,
  }
  return new Durable(ticket, response)
})

function find(client: Client, name: string | null, topicId: string): StoredTopic | undefined {
  try {
    if (name !== null && topicId === NO_TOPIC_ID) permitSeeingTopic(client, name)
    const topic = topicOf(client.broker, name, topicId)
    permitSeeingTopic(client, topic.name)
    return topic
  } catch (error) {
    if (topicId === NO_TOPIC_ID && error instanceof MillraceError && error.code === 'not_found') return undefined
    throw error
  }
}

/** @throws MillraceError `not_found` when it may not be created, `illegal_name`, `limit_reached` */
function create(client: Client, name: string, allowed: boolean): StoredTopic {
  if (allowed) {
    permitCreatingOnUse(client, name)
    checkBareName(name, 'topic')
  }
  client.broker.destination(topicAddress(name), allowed)
  return client.broker.storedTopic(name)
}

function described(topic: StoredTopic, topicAuthorizedOperations: number): TopicAnswer {
  return {
    errorCode: errors.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: false,
    partitions: topic.partitions.map((_, partitionIndex) => ({
      errorCode: errors.NONE,
      partitionIndex,
      leaderId: NODE_ID,
      leaderEpoch: LEADER_EPOCH,
      replicaNodes: [NODE_ID],
      isrNodes: [NODE_ID],
      offlineReplicas: [],
    })),
    topicAuthorizedOperations,
  }
}
