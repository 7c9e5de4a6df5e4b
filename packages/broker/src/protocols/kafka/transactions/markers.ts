/** The end of transactions, as written into partitions: by operators, for transactions whose producers are gone. */
import type { TransactionSummary } from '../../../core/producer-transactions/producer-transactions.ts'
import { permit } from '../access.ts'
import type { Decoded } from '../codec/notation.ts'
import { errorCodeOf, errors, KafkaError } from '../errors.ts'
import { NO_TOPIC_ID, partitionOf, topicOf } from '../handlers/topic-lookup.ts'
import { writeTxnMarkers } from '../messages/transactions.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'

type Marker = Decoded<typeof writeTxnMarkers.request>['markers'][number]

/**
 * Java's `abortTransaction`. Nothing of an open transaction is in a partition, so there is nothing to be marked in one: what the operator wants is that the
 * transaction ends, and it is aborted as a whole. Commits are made by producers alone.
 */
export const writeTxnMarkersApi: ServedApi = serve(writeTxnMarkers, ({ markers }, _, client) => {
  let isChanged = false
  const answers = markers.map((marker) => ({
    producerId: marker.producerId,
    topics: marker.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({
        partitionIndex,
        errorCode: codeOf(() => {
          isChanged = end(client, marker, name, partitionIndex) || isChanged
        }),
      })),
    })),
  }))
  return new Durable(isChanged ? client.broker.ticket() : 0, { markers: answers })
})

/** @returns whether there was something to be ended @throws KafkaError, MillraceError */
function end(
  client: Client,
  { producerId, producerEpoch, transactionResult }: Marker,
  topic: string,
  partition: number,
): boolean {
  permit(client, 'administer', 'broker')
  partitionOf(topicOf(client.broker, topic, NO_TOPIC_ID), partition)
  if (transactionResult) throw new KafkaError(errors.INVALID_REQUEST, 'a transaction is committed by its producer alone')
  const { producerTransactions } = client.broker
  const known = producerTransactions.list().find((each) => each.producerId === producerId)
  // What was never there, or is over, is as if it had been aborted.
  if (known === undefined || !isUnderWay(known)) return false
  if (known.epoch > producerEpoch) throw new KafkaError(errors.INVALID_PRODUCER_EPOCH, `its epoch is ${known.epoch} by now`)
  const { partitions } = producerTransactions.describe(known.transactionalId)!
  const isIn = partitions.some(({ kind, name, partition: index }) => kind === 'topic' && name === topic && index === partition)
  return isIn && producerTransactions.abort(known.transactionalId)
}

function isUnderWay({ state }: TransactionSummary): boolean {
  return state === 'open' || state === 'committing'
}

function codeOf(act: () => void): number {
  try {
    act()
    return errors.NONE
  } catch (error) {
    return errorCodeOf(error)
  }
}
