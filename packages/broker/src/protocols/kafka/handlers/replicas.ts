/** Leaders and replicas, of which every partition has one: this broker. */
import { permit } from '../access.ts'
import type { Encodable } from '../codec/notation.ts'
import { errorCodeOf, errors, failure, KafkaError, success } from '../errors.ts'
import { LEADER_EPOCH, LOG_DIRECTORY, NODE_ID } from '../limits.ts'
import {
  alterPartitionReassignments,
  alterReplicaLogDirs,
  describeQuorum,
  electLeaders,
  listPartitionReassignments,
} from '../messages/replicas.ts'
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

/** There is one directory, in which everything is. */
export const alterReplicaLogDirsApi: ServedApi = serve(alterReplicaLogDirs, ({ dirs }, _, client) => {
  const refusal = operatorOnly(client)
  const results = dirs.flatMap(({ path, topics }) =>
    topics.map(({ name, partitions }) => ({
      topicName: name,
      partitions: partitions.map((partitionIndex) => {
        const { errorCode } = outcome(() => {
          partitionOf(topicOf(client.broker, name, NO_TOPIC_ID), partitionIndex)
          if (path !== LOG_DIRECTORY) throw new KafkaError(errors.LOG_DIR_NOT_FOUND, `there is one directory, ${LOG_DIRECTORY}`)
        })
        return { partitionIndex, errorCode: refusal === errors.NONE ? errorCode : refusal }
      }),
    })),
  )
  return { results }
})

/** The only log with a quorum. */
const METADATA_TOPIC = '__cluster_metadata'

type DescribedQuorum = Encodable<(typeof describeQuorum.response.topics)[1]['partitions'][1]>

/** One voter, which leads. What is agreed on is the journal: its offsets are numbers of commits. */
export const describeQuorumApi: ServedApi = serve(describeQuorum, ({ topics }, _, client) => {
  try {
    permit(client, 'describe', 'broker')
  } catch (error) {
    return { ...failure(error), topics: [], nodes: [] }
  }
  return {
    ...success,
    topics: topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) => quorum(client, topicName, partitionIndex)),
    })),
    nodes: [{ nodeId: NODE_ID, listeners: [{ name: 'KAFKA', ...client.address }] }],
  }
})

function quorum(client: Client, topicName: string, partitionIndex: number): DescribedQuorum {
  if (topicName !== METADATA_TOPIC || partitionIndex !== 0) {
    const none = { leaderId: -1, leaderEpoch: -1, highWatermark: -1, currentVoters: [], observers: [] }
    return { partitionIndex, errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: 'it has no quorum', ...none }
  }
  const highWatermark = client.broker.committedTicket
  const voter = {
    replicaId: NODE_ID,
    replicaDirectoryId: NO_TOPIC_ID,
    logEndOffset: highWatermark,
    lastCaughtUpTimestamp: client.context.platform.clock.nowMs(),
  }
  const about = { leaderId: NODE_ID, leaderEpoch: LEADER_EPOCH, highWatermark, currentVoters: [voter], observers: [] }
  return { partitionIndex, ...success, ...about }
}

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
