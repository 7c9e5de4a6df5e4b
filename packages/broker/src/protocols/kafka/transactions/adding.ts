/** What a transaction is told beforehand: to which partitions it will publish, and that it will commit offsets. */
import { destinationAddress, topicAddress } from '@millrace/wire'
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
/** From here on a request is about many transactions, and may ask whether partitions were added. */
const BATCHED = 4
const KNOWS_ABORTABLE = 5

export const addPartitionsToTxnApi: ServedApi = serve(addPartitionsToTxn, (request, version, client) => {
  if (version < BATCHED) {
    const by = {
      transactionalId: request.v3AndBelowTransactionalId,
      producerId: request.v3AndBelowProducerId,
      epoch: request.v3AndBelowProducerEpoch,
    }
    const { results, isChanged } = add(client, by, request.v3AndBelowTopics, version)
    return new Durable(isChanged ? client.broker.ticket() : 0, { resultsByTopicV3AndBelow: results })
  }
  const outcomes = request.transactions.map(({ transactionalId, producerId, producerEpoch, verifyOnly, topics }) => {
    const by = { transactionalId, producerId, epoch: producerEpoch }
    const { results, isChanged } = verifyOnly ? verify(client, by, topics, version) : add(client, by, topics, version)
    return { transactionalId, topicResults: results, isChanged }
  })
  const ticket = outcomes.some(({ isChanged }) => isChanged) ? client.broker.ticket() : 0
  return new Durable(ticket, { errorCode: errors.NONE, resultsByTransaction: outcomes })
})

interface Added {
  readonly results: readonly TopicResult[]
  readonly isChanged: boolean
}

function add(client: Client, by: TransactionalProducer, topics: Topics, version: number): Added {
  try {
    permit(client, 'publish', `transaction:${by.transactionalId}`)
    const { partitions, codes } = placesOf(client, topics)
    // One that is wrong is all that is wrong: the others are not looked at.
    if (codes.some((each) => each.some((code) => code !== errors.NONE))) {
      const codeOf = (n: number, m: number): number => codes[n]![m]!
      return refusing(topics, (n, m) => (codeOf(n, m) === errors.NONE ? errors.OPERATION_NOT_ATTEMPTED : codeOf(n, m)))
    }
    client.broker.producerTransactions.enlist(by, partitions)
    return { results: resultsOf(topics, () => errors.NONE), isChanged: true }
  } catch (error) {
    const code = producerErrorCode(client, by, error, coordinatorCodes(version >= KNOWS_FENCED))
    return refusing(topics, () => code)
  }
}

/** Whether the open transaction has the partitions. */
function verify(client: Client, by: TransactionalProducer, topics: Topics, version: number): Added {
  const missing = version >= KNOWS_ABORTABLE ? errors.TRANSACTION_ABORTABLE : errors.INVALID_TXN_STATE
  try {
    permit(client, 'publish', `transaction:${by.transactionalId}`)
    const known = client.broker.producerTransactions.describe(by.transactionalId)
    if (known === undefined || known.producerId !== by.producerId)
      return refusing(topics, () => errors.INVALID_PRODUCER_ID_MAPPING)
    if (known.epoch !== by.epoch) return refusing(topics, () => errors.PRODUCER_FENCED)
    const added = new Set(known.partitions.map(({ kind, name, partition }) => `${destinationAddress(kind, name)} ${partition}`))
    const { codes } = placesOf(client, topics)
    return refusing(topics, (n, m) => {
      const { name, partitions } = topics[n]!
      if (codes[n]![m] !== errors.NONE) return codes[n]![m]!
      return known.state === 'open' && added.has(`${topicAddress(name)} ${partitions[m]}`) ? errors.NONE : missing
    })
  } catch (error) {
    const code = producerErrorCode(client, by, error, coordinatorCodes(true))
    return refusing(topics, () => code)
  }
}

/** @returns the partitions, and by topic and partition what is wrong with them */
function placesOf(
  client: Client,
  topics: Topics,
): { readonly partitions: readonly TransactionPartition[]; readonly codes: readonly (readonly number[])[] } {
  const found: TransactionPartition[] = []
  const codes = topics.map(({ name, partitions }) => {
    try {
      permit(client, 'publish', topicAddress(name))
      const to = client.broker.destination(topicAddress(name), false)
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

function refusing(topics: Topics, codeOf: (topic: number, partition: number) => number): Added {
  return { results: resultsOf(topics, codeOf), isChanged: false }
}

function resultsOf(topics: Topics, codeOf: (topic: number, partition: number) => number): readonly TopicResult[] {
  return topics.map(({ name, partitions }, n) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex, m) => ({ partitionIndex, partitionErrorCode: codeOf(n, m) })),
  }))
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
