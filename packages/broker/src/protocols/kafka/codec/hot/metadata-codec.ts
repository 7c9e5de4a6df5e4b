// hot path (packages/broker/test/kafka/codec-speed.mjs)
import type { metadata } from '../../messages/cluster.ts'
import type { MessageWriter } from '../message-writer.ts'
import { type Encodable, NO_UUID } from '../notation.ts'
import { writeCount, writeEnd, writeInt32s, writeText } from './fields.ts'
import type { HotCodec } from './hot-codec.ts'

type Response = Encodable<typeof metadata.response>
type Topic = Response['topics'][number]
type Partition = Topic['partitions'][number]

const FLEXIBLE = 9
/** Where nobody asked for operations. */
const NOT_TOLD = -2_147_483_648
const NOBODY: readonly number[] = []

export const metadataCodec: HotCodec<typeof metadata> = {
  writeResponse(writer: MessageWriter, version: number, response: Response): boolean {
    const flexible = version >= FLEXIBLE
    if (version >= 3) writer.int32(response.throttleTimeMs ?? 0)
    const { brokers, topics } = response
    writeCount(writer, brokers.length, flexible)
    for (const { nodeId, host, port, rack } of brokers) {
      writer.int32(nodeId)
      writeText(writer, host, flexible)
      writer.int32(port)
      if (version >= 1) writeText(writer, rack, flexible)
      writeEnd(writer, flexible)
    }
    if (version >= 2) writeText(writer, response.clusterId, flexible)
    if (version >= 1) writer.int32(response.controllerId ?? -1)
    writeCount(writer, topics.length, flexible)
    for (let n = 0; n < topics.length; n++) writeTopic(writer, version, topics[n]!)
    if (version >= 8 && version <= 10) writer.int32(response.clusterAuthorizedOperations ?? NOT_TOLD)
    if (version >= 13) writer.int16(response.errorCode ?? 0)
    writeEnd(writer, flexible)
    return true
  },
}

function writeTopic(writer: MessageWriter, version: number, topic: Topic): void {
  const flexible = version >= FLEXIBLE
  const { partitions } = topic
  writer.int16(topic.errorCode)
  writeText(writer, topic.name, flexible)
  if (version >= 10) writer.uuid(topic.topicId ?? NO_UUID)
  if (version >= 1) writer.bool(topic.isInternal ?? false)
  writeCount(writer, partitions.length, flexible)
  for (let n = 0; n < partitions.length; n++) writePartition(writer, version, partitions[n]!)
  if (version >= 8) writer.int32(topic.topicAuthorizedOperations ?? NOT_TOLD)
  writeEnd(writer, flexible)
}

function writePartition(writer: MessageWriter, version: number, partition: Partition): void {
  const flexible = version >= FLEXIBLE
  writer.int16(partition.errorCode)
  writer.int32(partition.partitionIndex)
  writer.int32(partition.leaderId)
  if (version >= 7) writer.int32(partition.leaderEpoch ?? -1)
  writeInt32s(writer, partition.replicaNodes, flexible)
  writeInt32s(writer, partition.isrNodes, flexible)
  if (version >= 5) writeInt32s(writer, partition.offlineReplicas ?? NOBODY, flexible)
  writeEnd(writer, flexible)
}
