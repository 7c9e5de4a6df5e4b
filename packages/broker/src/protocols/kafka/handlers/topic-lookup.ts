import type { Broker, StoredTopic } from '../../../core/broker.ts'
import { MillraceError, orUndefined } from '../../../base/errors.ts'
import { maySeeTopic } from '../access.ts'
import { errors, KafkaError } from '../errors.ts'
import type { Client } from '../served-api.ts'

export const NO_TOPIC_ID: string = '0'.repeat(32)

/** @throws KafkaError UNKNOWN_TOPIC_ID, MillraceError `not_found` */
export function topicOf(broker: Broker, name: string | null, id: string): StoredTopic {
  if (id === NO_TOPIC_ID) return broker.storedTopic(name ?? '')
  const topic = broker.storedTopicById(id)
  if (topic !== undefined) return topic
  throw new KafkaError(errors.UNKNOWN_TOPIC_ID, `no topic has the id ${id}`)
}

/** Undefined when there is none of that name. */
export function findTopic(broker: Broker, name: string): StoredTopic | undefined {
  return orUndefined(() => broker.storedTopic(name))
}

/** @throws MillraceError `not_found` */
export function partitionOf(topic: StoredTopic, index: number): StoredTopic['partitions'][number] {
  const partition = topic.partitions[index]
  if (partition !== undefined) return partition
  throw new MillraceError('not_found', `topic ${topic.name} has the partitions 0..${topic.partitions.length - 1}, not ${index}`)
}

/** All topics that the client may know of. */
export function visibleTopics(client: Client): readonly StoredTopic[] {
  return client.broker.storedTopics().filter(({ name }) => maySeeTopic(client, name))
}
