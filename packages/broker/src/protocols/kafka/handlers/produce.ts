// hot path (packages/broker/test/kafka/throughput.mjs)
import { BATCH_CRC_FROM, BATCH_HEADER_BYTES, batchAttributes, batchCrc, batchSize, crc32c, topicAddress } from '@millrace/wire'
import { MillraceError } from '../../../base/errors.ts'
import type { Destination, StoredTopic } from '../../../core/broker.ts'
import { permit } from '../access.ts'
import type { Decoded, Encodable } from '../codec/notation.ts'
import { errors, failure, KafkaError } from '../errors.ts'
import { produce } from '../messages/records.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { throttled } from '../throttling.ts'
import { publishInTransaction, UNKNOWN_OFFSET } from '../transactions/producing.ts'
import { NO_TOPIC_ID, topicOf } from './topic-lookup.ts'

type ProduceRequest = Decoded<typeof produce.request>
type TopicData = ProduceRequest['topicData'][number]
type TopicAnswer = Encodable<(typeof produce.response.responses)[1]>
type PartitionAnswer = TopicAnswer['partitionResponses'][number]

/** Old clients of librdkafka take it from this list that the others are there; they are not, and nobody uses them. */
const FIRST_VERSION = 3

const ALL = -1
const LEADER = 1
const NOBODY = 0

const MAGIC_AT = 16
const MAGIC = 2
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

/** Whose transaction it is, if it is one, and what the client knows of such things. */
interface By {
  readonly transactionalId: string | null
  readonly version: number
}

interface Target {
  readonly destination: Destination
  readonly stored: StoredTopic
}

/** How far a request got. */
interface Progress {
  /** Of the last batch that was stored. */
  ticket: number
  failed: boolean
  /** Of the batches that were stored. */
  bytes: number
}

export const produceApi: ServedApi = serve(produce, (request, version, client) => {
  if (version < FIRST_VERSION) return 'close'
  const { acks } = request
  const progress: Progress = { ticket: 0, failed: false, bytes: 0 }
  const known = acks === ALL || acks === LEADER || acks === NOBODY
  const by = { transactionalId: request.transactionalId, version }
  const responses = request.topicData.map((topic) =>
    known
      ? publishTopic(client, by, topic, progress)
      : refuseTopic(topic, new KafkaError(errors.INVALID_REQUIRED_ACKS, 'acks is -1, 0 or 1')),
  )
  const throttleTimeMs = throttled(client, 'publish', progress.bytes)
  // Nobody reads an answer: the end of the connection is all that can tell of a failure.
  if (acks === NOBODY) return progress.failed ? 'close' : undefined
  return new Durable(progress.ticket, { responses, throttleTimeMs })
})

function publishTopic(client: Client, by: By, topic: TopicData, progress: Progress): TopicAnswer {
  const { name, topicId, partitionData } = topic
  let target: Target
  try {
    const topicName = topicId === NO_TOPIC_ID ? name : topicOf(client.broker, name, topicId).name
    permit(client, 'publish', topicAddress(topicName))
    const destination = client.broker.destination(topicAddress(topicName), false)
    target = { destination, stored: client.broker.storedTopic(topicName) }
  } catch (error) {
    progress.failed = true
    return refuseTopic(topic, error)
  }
  const partitionResponses = partitionData.map(({ index, records }) => publish(client, by, target, index, records, progress))
  return { name, topicId, partitionResponses }
}

function publish(
  client: Client,
  by: By,
  { destination, stored }: Target,
  index: number,
  records: Uint8Array | null,
  progress: Progress,
): PartitionAnswer {
  try {
    // Whoever also fetches by this connection goes on.
    if (client.broker.shortages.memory) throw new MillraceError('overloaded', 'the broker is low on memory: try again later')
    if (index < 0 || index >= destination.partitions) {
      throw new MillraceError(
        'not_found',
        `topic ${destination.name} has the partitions 0..${destination.partitions - 1}, not ${index}`,
      )
    }
    const batch = singleBatch(records)
    if ((batchAttributes(batch) & TRANSACTIONAL) !== 0) {
      publishInTransaction(client, by.transactionalId, by.version, destination, index, batch)
      progress.ticket = client.broker.ticket()
      progress.bytes += batch.length
      return { index, errorCode: errors.NONE, baseOffset: UNKNOWN_OFFSET, logStartOffset: startOf(stored, index) }
    }
    const baseOffset = destination.publish(index, batch)
    progress.ticket = client.broker.ticket()
    progress.bytes += batch.length
    if (destination.duplicates?.[0]?.offset === -1) {
      throw new KafkaError(errors.DUPLICATE_SEQUENCE_NUMBER, 'the batch was stored before, and where is not known any more')
    }
    return { index, errorCode: errors.NONE, baseOffset, logStartOffset: startOf(stored, index) }
  } catch (error) {
    progress.failed = true
    if (isDamaged(error, records)) return refusePartition(index, new KafkaError(errors.CORRUPT_MESSAGE, (error as Error).message))
    return refusePartition(index, error)
  }
}

function startOf(stored: StoredTopic, index: number): number {
  return stored.partitions[index]!.bounds().start
}

/** Whether it was changed on the way: clients then send it again. */
function isDamaged(error: unknown, records: Uint8Array | null): boolean {
  if (records === null || !(error instanceof MillraceError) || error.code !== 'bad_batch') return false
  return crc32c(records.subarray(BATCH_CRC_FROM)) !== batchCrc(records)
}

/** Since version 3 there is one batch for a partition. @throws KafkaError */
function singleBatch(records: Uint8Array | null): Uint8Array {
  if (records === null || records.length < BATCH_HEADER_BYTES) {
    throw new KafkaError(errors.INVALID_RECORD, 'a partition needs one record batch')
  }
  if (records[MAGIC_AT] !== MAGIC) {
    throw new KafkaError(errors.UNSUPPORTED_FOR_MESSAGE_FORMAT, `the record batch has magic ${records[MAGIC_AT]}, not ${MAGIC}`)
  }
  if (batchSize(records) !== records.length) {
    throw new KafkaError(errors.INVALID_RECORD, `a partition needs one record batch, of ${records.length} bytes`)
  }
  if ((batchAttributes(records) & CONTROL) === 0) return records
  throw new KafkaError(errors.INVALID_RECORD, 'only the broker writes control batches')
}

function refuseTopic({ name, topicId, partitionData }: TopicData, error: unknown): TopicAnswer {
  return { name, topicId, partitionResponses: partitionData.map(({ index }) => refusePartition(index, error)) }
}

function refusePartition(index: number, error: unknown): PartitionAnswer {
  // Records without a key in a compacted topic.
  const isRecordFault = error instanceof MillraceError && error.code === 'bad_request'
  const { errorCode, errorMessage } = failure(error)
  return { index, errorCode: isRecordFault ? errors.INVALID_RECORD : errorCode, baseOffset: -1, errorMessage }
}
