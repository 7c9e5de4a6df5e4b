import type { StoredPartition } from '../../../core/broker.ts'
import { permitOffsets } from '../access.ts'
import type { Decoded, Encodable } from '../codec/notation.ts'
import { errorCodeOf, errors, KafkaError } from '../errors.ts'
import { LEADER_EPOCH } from '../limits.ts'
import { listOffsets, offsetForLeaderEpoch } from '../messages/records.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'
import { NO_TOPIC_ID, partitionOf, topicOf } from './topic-lookup.ts'

type TopicAnswer = Encodable<(typeof listOffsets.response.topics)[1]>
type PartitionAnswer = TopicAnswer['partitions'][number]
type WantedPartition = Decoded<typeof listOffsets.request>['topics'][number]['partitions'][number]

/** Times that stand for places. */
const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4

const NOT_FOUND = { offset: -1, timestampMs: -1 }

export const listOffsetsApi: ServedApi = serve(listOffsets, async ({ topics }, _, client) => ({
  topics: await Promise.all(
    topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(partitions.map((wanted) => find(client, name, wanted))),
    })),
  ),
}))

async function find(client: Client, name: string, wanted: WantedPartition): Promise<PartitionAnswer> {
  const { partitionIndex } = wanted
  try {
    const partition = describedPartition(client, name, partitionIndex, wanted.currentLeaderEpoch)
    const { offset, timestampMs } = await place(partition, wanted.timestamp)
    return { partitionIndex, errorCode: errors.NONE, offset, timestamp: timestampMs, leaderEpoch: LEADER_EPOCH }
  } catch (error) {
    return { partitionIndex, errorCode: errorCodeOf(error), offset: -1, timestamp: -1 }
  }
}

async function place(partition: StoredPartition, timestamp: number): Promise<{ offset: number; timestampMs: number }> {
  switch (timestamp) {
    case LATEST:
      return { offset: partition.bounds().end, timestampMs: -1 }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { offset: partition.bounds().start, timestampMs: -1 }
    case MAX_TIMESTAMP:
      return (await partition.latest()) ?? NOT_FOUND
    default:
      // The others are of storage in tiers, where there is nothing.
      return timestamp < 0 ? NOT_FOUND : ((await partition.at(timestamp)) ?? NOT_FOUND)
  }
}

export const offsetForLeaderEpochApi: ServedApi = serve(offsetForLeaderEpoch, ({ topics }, _, client) => ({
  topics: topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
      try {
        const { end } = describedPartition(client, topic, partition, currentLeaderEpoch).bounds()
        const isKnown = leaderEpoch === LEADER_EPOCH
        return { errorCode: errors.NONE, partition, leaderEpoch: isKnown ? LEADER_EPOCH : -1, endOffset: isKnown ? end : -1 }
      } catch (error) {
        return { errorCode: errorCodeOf(error), partition, leaderEpoch: -1, endOffset: -1 }
      }
    }),
  })),
}))

function describedPartition(client: Client, name: string, index: number, leaderEpoch: number): StoredPartition {
  permitOffsets(client, name)
  const partition = partitionOf(topicOf(client.broker, name, NO_TOPIC_ID), index)
  if (leaderEpoch <= LEADER_EPOCH) return partition
  throw new KafkaError(errors.UNKNOWN_LEADER_EPOCH, `the leader epoch is ${LEADER_EPOCH}, not ${leaderEpoch}`)
}
