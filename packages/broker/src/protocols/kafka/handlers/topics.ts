import { topicAddress } from '@millrace/wire'
import { checkBareName } from '../../../core/names.ts'
import { may, permit } from '../access.ts'
import type { Decoded, Encodable } from '../codec/notation.ts'
import { describeTopicConfigs, settingsFrom } from '../configs/topic-configs.ts'
import { errors, failure, KafkaError, success } from '../errors.ts'
import { NODE_ID } from '../limits.ts'
import { createPartitions, createTopics, deleteTopics } from '../messages/topics.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { PartitionChanges } from '../throttling.ts'
import { findTopic, NO_TOPIC_ID, topicOf } from './topic-lookup.ts'

type NewTopic = Decoded<typeof createTopics.request>['topics'][number]
type CreatedTopic = Encodable<(typeof createTopics.response.topics)[1]>

/** Where the client leaves it to the broker. */
const DEFAULT_PARTITIONS = 1
const UNSET = -1

export const createTopicsApi: ServedApi = serve(createTopics, ({ topics, validateOnly }, version, client) => {
  const changes = new PartitionChanges(client, version >= 6)
  const answers = topics.map((topic): CreatedTopic => {
    const { name } = topic
    try {
      if (topics.filter((other) => other.name === name).length > 1) {
        throw new KafkaError(errors.INVALID_REQUEST, `the topic ${name} is named more than once`)
      }
      return create(client, topic, validateOnly, changes)
    } catch (error) {
      return { name, ...failure(error), topicConfigErrorCode: errors.NONE, configs: [] }
    }
  })
  const { throttleTimeMs } = changes
  return new Durable(validateOnly ? 0 : durableTicket(client, answers), { throttleTimeMs, topics: answers })
})

function create(client: Client, topic: NewTopic, validateOnly: boolean, changes: PartitionChanges): CreatedTopic {
  const { name } = topic
  const { broker } = client
  if (!may(client, 'create', 'broker')) permit(client, 'create', topicAddress(name))
  if (findTopic(client.broker, name) !== undefined) throw new KafkaError(errors.TOPIC_ALREADY_EXISTS, `the topic ${name} exists`)
  const partitions = partitionCount(topic)
  if (partitions > broker.limits.partitionsMax) {
    throw new KafkaError(
      errors.INVALID_PARTITIONS,
      `a topic has at most ${broker.limits.partitionsMax} partitions, not ${partitions}`,
    )
  }
  const settings = settingsFrom({}, topic.configs, broker.limits)
  let topicId = NO_TOPIC_ID
  checkBareName(name, 'topic')
  if (!validateOnly) {
    changes.check()
    broker.createTopic({ name, partitions, ...settings })
    changes.made(partitions)
    topicId = broker.storedTopic(name).id
  }
  const configs = describeTopicConfigs(settings, broker.limits)
  return { name, topicId, ...success, numPartitions: partitions, replicationFactor: 1, configs }
}

/** @throws KafkaError */
function partitionCount({ numPartitions, replicationFactor, assignments }: NewTopic): number {
  if (assignments.length > 0) {
    const isOurs = assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === NODE_ID)
    const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex))
    const isWhole = indexes.size === assignments.length && assignments.every((_, n) => indexes.has(n))
    if (isOurs && isWhole && numPartitions === UNSET && replicationFactor === UNSET) return assignments.length
    throw new KafkaError(
      errors.INVALID_REPLICA_ASSIGNMENT,
      `assignments name the partitions from 0 on, each with the broker ${NODE_ID}, and neither partitions nor replicas are counted beside them`,
    )
  }
  if (replicationFactor !== UNSET && replicationFactor !== 1) {
    throw new KafkaError(
      errors.INVALID_REPLICATION_FACTOR,
      `there is one broker: the replication factor is 1, not ${replicationFactor}`,
    )
  }
  if (numPartitions === UNSET) return DEFAULT_PARTITIONS
  if (numPartitions >= 1) return numPartitions
  throw new KafkaError(errors.INVALID_PARTITIONS, `a topic has at least 1 partition, not ${numPartitions}`)
}

export const deleteTopicsApi: ServedApi = serve(deleteTopics, (request, version, client) => {
  const wanted = version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: NO_TOPIC_ID }))
  const changes = new PartitionChanges(client, version >= 5)
  const responses = wanted.map(({ name, topicId }) => {
    try {
      // Whether a topic is there is not told to who may not know.
      if (name !== null && topicId === NO_TOPIC_ID) permit(client, 'delete', topicAddress(name))
      const topic = topicOf(client.broker, name, topicId)
      permit(client, 'delete', topicAddress(topic.name))
      changes.check()
      const { length } = topic.partitions
      client.broker.deleteTopic(topic.name)
      changes.made(length)
      return { name: topic.name, topicId: topic.id, ...success }
    } catch (error) {
      return { name: name ?? null, topicId, ...failure(error) }
    }
  })
  const { throttleTimeMs } = changes
  return new Durable(durableTicket(client, responses), { throttleTimeMs, responses })
})

export const createPartitionsApi: ServedApi = serve(createPartitions, ({ topics, validateOnly }, version, client) => {
  const changes = new PartitionChanges(client, version >= 3)
  const results = topics.map(({ name, count, assignments }) => {
    try {
      permit(client, 'define', topicAddress(name))
      const { partitions } = client.broker.storedTopic(name)
      const max = client.broker.limits.partitionsMax
      if (count <= partitions.length || count > max) {
        throw new KafkaError(
          errors.INVALID_PARTITIONS,
          `the topic ${name} has ${partitions.length} partitions; there may be more, up to ${max}, not ${count}`,
        )
      }
      const isAssigned = assignments !== null && assignments.length > 0
      const isOurs = assignments?.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === NODE_ID)
      if (isAssigned && (assignments.length !== count - partitions.length || isOurs !== true)) {
        throw new KafkaError(errors.INVALID_REPLICA_ASSIGNMENT, `each new partition is assigned to the broker ${NODE_ID}`)
      }
      if (!validateOnly) {
        changes.check()
        const added = count - partitions.length
        client.broker.updateTopic(name, { partitions: count })
        changes.made(added)
      }
      return { name, ...success }
    } catch (error) {
      return { name, ...failure(error) }
    }
  })
  const { throttleTimeMs } = changes
  return new Durable(validateOnly ? 0 : durableTicket(client, results), { throttleTimeMs, results })
})

/** What was changed, if anything was, is durable before anybody hears of it. */
export function durableTicket({ broker }: Client, answers: readonly { readonly errorCode: number }[]): number {
  return answers.some(({ errorCode }) => errorCode === errors.NONE) ? broker.ticket() : 0
}
