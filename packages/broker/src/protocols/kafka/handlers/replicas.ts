/** Leaders and replicas, of which every partition has one: this broker. */
import { permit } from '../access.ts'
import { errorCodeOf, errors, failure, KafkaError, success } from '../errors.ts'
import { NODE_ID } from '../limits.ts'
import { alterPartitionReassignments, electLeaders, listPartitionReassignments } from '../messages/replicas.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'
import { NO_TOPIC_ID, partitionOf, topicOf } from './topic-lookup.ts'

interface PartitionResult {
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** Elections are never needed. When all partitions are asked for, only those are told of that need one. */
export const electLeadersApi: ServedApi = serve(electLeaders, ({ topicPartitions }, _, client) => {
  const refusal = operatorOnly(client)
  if (refusal !== errors.NONE) return { errorCode: refusal, replicaElectionResults: [] }
  const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => ({ partitionId, ...election(client, topic, partitionId) })),
  }))
  return { errorCode: errors.NONE, replicaElectionResults }
})

function election(client: Client, topic: string, partition: number): PartitionResult {
  return outcome(() => {
    partitionOf(topicOf(client.broker, topic, NO_TOPIC_ID), partition)
    throw new KafkaError(errors.ELECTION_NOT_NEEDED, 'the leader of a partition is always this broker')
  })
}

export const alterPartitionReassignmentsApi: ServedApi = serve(alterPartitionReassignments, ({ topics }, _, client) => {
  const refusal = operatorOnly(client)
  if (refusal !== errors.NONE) return { errorCode: refusal, errorMessage: null, responses: [] }
  const responses = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, replicas }) => ({
      partitionIndex,
      ...outcome(() => {
        partitionOf(topicOf(client.broker, name, NO_TOPIC_ID), partitionIndex)
        if (replicas === null) throw new KafkaError(errors.NO_REASSIGNMENT_IN_PROGRESS, 'partitions stay where they are')
        if (replicas.length === 1 && replicas[0] === NODE_ID) return
        throw new KafkaError(errors.INVALID_REPLICA_ASSIGNMENT, `there is one broker, ${NODE_ID}`)
      }),
    })),
  }))
  return { ...success, responses }
})

/** Partitions stay where they are. */
export const listPartitionReassignmentsApi: ServedApi = serve(listPartitionReassignments, (_request, _, client) => {
  try {
    permit(client, 'describe', 'broker')
    return { ...success, topics: [] }
  } catch (error) {
    return { ...failure(error), topics: [] }
  }
})

function operatorOnly(client: Client): number {
  try {
    permit(client, 'administer', 'broker')
    return errors.NONE
  } catch (error) {
    return errorCodeOf(error)
  }
}

function outcome(act: () => void): PartitionResult {
  try {
    act()
    return success
  } catch (error) {
    return failure(error)
  }
}
