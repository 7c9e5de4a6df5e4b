// hot path (packages/broker/test/kafka/codec-speed.mjs)
import type { fetch } from '../../messages/records.ts'
import type { MessageReader } from '../message-reader.ts'
import type { MessageWriter } from '../message-writer.ts'
import { type Decoded, type Encodable, NO_UUID } from '../notation.ts'
import { hasTags, readCount, readText, writeCount, writeEnd, writeRecords, writeText } from './fields.ts'
import type { HotCodec } from './hot-codec.ts'

type Request = Decoded<typeof fetch.request>
type Topic = Request['topics'][number]
type Partition = Topic['partitions'][number]
type Forgotten = Request['forgottenTopicsData'][number]
type Response = Encodable<typeof fetch.response>
type PartitionResponse = Response['responses'][number]['partitions'][number]

const FLEXIBLE = 12
/** From here on a topic has its id in the place of its name. */
const BY_ID = 13
/** As the definition has it, as near as a number comes. */
const UNKNOWN_HIGH_WATERMARK = Number('9223372036854775807')
const NO_REPLICA = { replicaId: -1, replicaEpoch: -1 }

export const fetchCodec: HotCodec<typeof fetch> = {
  readRequest(reader: MessageReader, version: number): Request | undefined {
    const flexible = version >= FLEXIBLE
    const replicaId = version <= 14 ? reader.int32() : -1
    const maxWaitMs = reader.int32()
    const minBytes = reader.int32()
    const maxBytes = reader.int32()
    const isolationLevel = reader.int8()
    const sessionId = version >= 7 ? reader.int32() : 0
    const sessionEpoch = version >= 7 ? reader.int32() : -1
    const topics: Topic[] = []
    const count = readCount(reader, flexible)
    for (let n = 0; n < count; n++) {
      const topic = version < BY_ID ? readText(reader, flexible) : ''
      const topicId = version >= BY_ID ? reader.uuid() : NO_UUID
      const partitions: Partition[] = []
      const partitionCount = readCount(reader, flexible)
      for (let m = 0; m < partitionCount; m++) {
        partitions.push(readPartition(reader, version))
        if (hasTags(reader, flexible)) return undefined
      }
      topics.push({ topic, topicId, partitions })
      if (hasTags(reader, flexible)) return undefined
    }
    const forgottenTopicsData = version >= 7 ? readForgotten(reader, version) : []
    const rackId = version >= 11 ? readText(reader, flexible) : ''
    if (forgottenTopicsData === undefined || hasTags(reader, flexible)) return undefined
    const terms = { maxWaitMs, minBytes, maxBytes, isolationLevel, sessionId, sessionEpoch }
    return { clusterId: null, replicaId, replicaState: NO_REPLICA, ...terms, topics, forgottenTopicsData, rackId }
  },

  writeResponse(writer: MessageWriter, version: number, response: Response): boolean {
    if (isTagged(response)) return false
    const flexible = version >= FLEXIBLE
    writer.int32(response.throttleTimeMs ?? 0)
    if (version >= 7) {
      writer.int16(response.errorCode ?? 0)
      writer.int32(response.sessionId ?? 0)
    }
    const { responses } = response
    writeCount(writer, responses.length, flexible)
    for (let n = 0; n < responses.length; n++) {
      const { topic = '', topicId = NO_UUID, partitions } = responses[n]!
      if (version < BY_ID) writeText(writer, topic, flexible)
      else writer.uuid(topicId)
      writeCount(writer, partitions.length, flexible)
      for (let m = 0; m < partitions.length; m++) writePartition(writer, version, partitions[m]!)
      writeEnd(writer, flexible)
    }
    writeEnd(writer, flexible)
    return true
  },
}

function readPartition(reader: MessageReader, version: number): Partition {
  return {
    partition: reader.int32(),
    currentLeaderEpoch: version >= 9 ? reader.int32() : -1,
    fetchOffset: reader.int64(),
    lastFetchedEpoch: version >= 12 ? reader.int32() : -1,
    logStartOffset: version >= 5 ? reader.int64() : -1,
    partitionMaxBytes: reader.int32(),
    replicaDirectoryId: NO_UUID,
    highWatermark: UNKNOWN_HIGH_WATERMARK,
  }
}

function readForgotten(reader: MessageReader, version: number): Forgotten[] | undefined {
  const flexible = version >= FLEXIBLE
  const forgotten: Forgotten[] = []
  const count = readCount(reader, flexible)
  for (let n = 0; n < count; n++) {
    const topic = version < BY_ID ? readText(reader, flexible) : ''
    const topicId = version >= BY_ID ? reader.uuid() : NO_UUID
    const partitions: number[] = []
    const partitionCount = readCount(reader, flexible)
    for (let m = 0; m < partitionCount; m++) partitions.push(reader.int32())
    forgotten.push({ topic, topicId, partitions })
    if (hasTags(reader, flexible)) return undefined
  }
  return forgotten
}

function writePartition(writer: MessageWriter, version: number, partition: PartitionResponse): void {
  const flexible = version >= FLEXIBLE
  writer.int32(partition.partitionIndex)
  writer.int16(partition.errorCode)
  writer.int64(partition.highWatermark)
  writer.int64(partition.lastStableOffset ?? -1)
  if (version >= 5) writer.int64(partition.logStartOffset ?? -1)
  const { abortedTransactions = [] } = partition
  writeCount(writer, abortedTransactions === null ? -1 : abortedTransactions.length, flexible)
  if (abortedTransactions !== null) {
    for (let n = 0; n < abortedTransactions.length; n++) {
      writer.int64(abortedTransactions[n]!.producerId)
      writer.int64(abortedTransactions[n]!.firstOffset)
      writeEnd(writer, flexible)
    }
  }
  if (version >= 11) writer.int32(partition.preferredReadReplica ?? -1)
  writeRecords(writer, partition.records, flexible)
  writeEnd(writer, flexible)
}

function isTagged({ responses, nodeEndpoints }: Response): boolean {
  if (nodeEndpoints !== undefined && nodeEndpoints.length > 0) return true
  for (let n = 0; n < responses.length; n++) {
    const { partitions } = responses[n]!
    for (let m = 0; m < partitions.length; m++) {
      const { divergingEpoch, currentLeader, snapshotId } = partitions[m]!
      if (divergingEpoch !== undefined || currentLeader !== undefined || snapshotId !== undefined) return true
    }
  }
  return false
}
