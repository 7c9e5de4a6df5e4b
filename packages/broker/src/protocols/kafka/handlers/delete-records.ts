import { topicAddress } from '@millrace/wire'
import { MillraceError } from '../../../base/errors.ts'
import { permit } from '../access.ts'
import { errorCodeOf, errors } from '../errors.ts'
import { deleteRecords } from '../messages/records.ts'
import { Durable, serve, type ServedApi } from '../served-api.ts'
import { durableTicket } from './topics.ts'
import { NO_TOPIC_ID, partitionOf, topicOf } from './topic-lookup.ts'

/** Stands for all records that are there. */
const HIGH_WATERMARK = -1

export const deleteRecordsApi: ServedApi = serve(deleteRecords, (request, _, client) => {
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, offset }) => {
      try {
        permit(client, 'delete', topicAddress(name))
        const partition = partitionOf(topicOf(client.broker, name, NO_TOPIC_ID), partitionIndex)
        const { start, end } = partition.bounds()
        const to = offset === HIGH_WATERMARK ? end : offset
        if (to < 0 || to > end) {
          throw new MillraceError('offset_out_of_range', `the partition has the offsets ${start}..${end - 1}, and not ${to}`)
        }
        partition.trim(to)
        return { partitionIndex, lowWatermark: Math.max(start, to), errorCode: errors.NONE }
      } catch (error) {
        return { partitionIndex, lowWatermark: -1, errorCode: errorCodeOf(error) }
      }
    }),
  }))
  const answers = topics.flatMap(({ partitions }) => partitions)
  return new Durable(durableTicket(client, answers), { topics })
})
