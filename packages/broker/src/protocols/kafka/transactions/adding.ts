/** What a transaction is told beforehand: to which partitions it will publish, and that it will commit offsets. */
import type { TransactionalProducer, TransactionPartition } from '../../../core/producer-transactions/producer-transactions.ts'
import { MillraceError } from '../../../base/errors.ts'
import { permit } from '../access.ts'
import type { Decoded, Encodable } from '../codec/notation.ts'
import { errorCodeOf, errors } from '../errors.ts'
import { groupErrorCode, mayUseGroup } from '../groups/group-errors.ts'
import { addOffsetsToTxn, addPartitionsToTxn } from '../messages/transactions.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { coordinatorCodes, producerErrorCode } from './transaction-errors.ts'

type Topics = Decoded<typeof addPartitionsToTxn.request>['v3AndBelowTopics']
type TopicResult = Encodable<(typeof addPartitionsToTxn.response.resultsByTopicV3AndBelow)[1]>

const KNOWS_FENCED = 2

export const addPartitionsToTxnApi: ServedApi = serve(addPartitionsToTxn, (request, version, client) => {
  const by = {
    transactionalId: request.v3AndBelowTransactionalId,
    producerId: request.v3AndBelowProducerId,
    epoch: request.v3AndBelowProducerEpoch,
  }
  const { v3AndBelowTopics: topics } = request
  try {
    permit(client, 'publish', `transaction:${by.transactionalId}`)
    const { partitions, codes } = placesOf(client, topics)
    // One that is wrong is all that is wrong: the others are not looked at.
    if (codes.some((each) => each.some((code) => code !== errors.NONE))) {
      return answer(topics, (n, m) => (codes[n]![m] === errors.NONE ? errors.OPERATION_NOT_ATTEMPTED : codes[n]![m]!))
    }
    client.broker.producerTransactions.enlist(by, partitions)
    return new Durable(
      client.broker.ticket(),
      answer(topics, () => errors.NONE),
    )
  } catch (error) {
    const code = producerErrorCode(client, by, error, coordinatorCodes(version >= KNOWS_FENCED))
    return answer(topics, () => code)
  }
})

/** @returns the partitions, and by topic and partition what is wrong with them */
function placesOf(
  client: Client,
  topics: Topics,
): { readonly partitions: readonly TransactionPartition[]; readonly codes: readonly (readonly number[])[] } {
  const found: TransactionPartition[] = []
  const codes = topics.map(({ name, partitions }) => {
    try {
      permit(client, 'publish', `topic:${name}`)
      const to = client.broker.destination(`topic:${name}`, false)
      return partitions.map((partition) => {
        if (partition < 0 || partition >= to.partitions) return errors.UNKNOWN_TOPIC_OR_PARTITION
        found.push({ to, partition })
        return errors.NONE
      })
    } catch (error) {
      const code = errorCodeOf(error)
      return partitions.map(() => code)
    }
  })
  return { partitions: found, codes }
}

function answer(
  topics: Topics,
  codeOf: (topic: number, partition: number) => number,
): { readonly resultsByTopicV3AndBelow: readonly TopicResult[] } {
  const results = topics.map(({ name, partitions }, n) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex, m) => ({ partitionIndex, partitionErrorCode: codeOf(n, m) })),
  }))
  return { resultsByTopicV3AndBelow: results }
}

export const addOffsetsToTxnApi: ServedApi = serve(addOffsetsToTxn, (request, version, client) => {
  const { transactionalId, producerId, producerEpoch: epoch, groupId } = request
  const by: TransactionalProducer = { transactionalId, producerId, epoch }
  try {
    permit(client, 'publish', `transaction:${transactionalId}`)
    const refused = groupRefusal(client, groupId)
    if (refused !== undefined) return { errorCode: refused }
    client.broker.producerTransactions.enlist(by, [])
    return new Durable(client.broker.ticket(), { errorCode: errors.NONE })
  } catch (error) {
    return { errorCode: producerErrorCode(client, by, error, coordinatorCodes(version >= KNOWS_FENCED)) }
  }
})

export function groupRefusal(client: Client, group: string): number | undefined {
  try {
    mayUseGroup(client, 'consume', group)
    return undefined
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return groupErrorCode(error)
  }
}
