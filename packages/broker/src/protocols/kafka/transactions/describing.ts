/** What operators see of producers and transactions. */
import { topicAddress } from '@millrace/wire'
import type {
  ProducerTransactions,
  TransactionDescription,
  TransactionState,
  TransactionSummary,
} from '../../../core/producer-transactions/producer-transactions.ts'
import type { PartitionProducer, StoredPartition } from '../../../core/broker.ts'
import type { Decoded, Encodable } from '../codec/notation.ts'
import { may, permit } from '../access.ts'
import { errorCodeOf, errors, failure, KafkaError, success } from '../errors.ts'
import { wholeNamePattern } from '../groups/topic-pattern.ts'
import { NO_TOPIC_ID, partitionOf, topicOf } from '../handlers/topic-lookup.ts'
import { describeProducers, describeTransactions, listTransactions } from '../messages/transactions.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'

type DescribedTransaction = Encodable<(typeof describeTransactions.response.transactionStates)[1]>
type ActiveProducer = Encodable<(typeof describeProducers.response.topics)[1]>['partitions'][number]['activeProducers'][number]

const states: Readonly<Record<TransactionState, string>> = {
  empty: 'Empty',
  open: 'Ongoing',
  committing: 'PrepareCommit',
  committed: 'CompleteCommit',
  aborted: 'CompleteAbort',
}
/** Those that Kafka has besides: nothing is ever in them here. */
const unusedStates: ReadonlySet<string> = new Set(['PrepareAbort', 'Dead', 'PrepareEpochFence'])

const UNKNOWN = -1

export const listTransactionsApi: ServedApi = serve(listTransactions, (request, _, client) => {
  const { transactionalIdPattern: pattern } = request
  if (pattern === null || pattern === '') return listing(client, request, () => true)
  return wholeNamePattern(pattern).then(
    (matches) => listing(client, request, matches),
    (error: unknown) => ({ errorCode: errorCodeOf(error), unknownStateFilters: [], transactionStates: [] }),
  )
})

function listing(
  client: Client,
  { stateFilters, producerIdFilters, durationFilter }: Decoded<typeof listTransactions.request>,
  isNamed: (transactionalId: string) => boolean,
): Encodable<typeof listTransactions.response> {
  const nowMs = client.context.platform.clock.nowMs()
  const names = Object.values(states)
  const isWanted = ({ transactionalId, state, producerId, startedMs }: TransactionSummary): boolean =>
    isNamed(transactionalId) &&
    (stateFilters.length === 0 || stateFilters.includes(states[state])) &&
    (producerIdFilters.length === 0 || producerIdFilters.includes(producerId)) &&
    (durationFilter < 0 || (startedMs !== undefined && nowMs - startedMs > durationFilter))
  const wanted = listed(client.broker.producerTransactions)
    .filter(isWanted)
    .filter(({ transactionalId }) => may(client, 'describe', `transaction:${transactionalId}`))
  return {
    errorCode: errors.NONE,
    unknownStateFilters: stateFilters.filter((name) => !names.includes(name) && !unusedStates.has(name)),
    transactionStates: wanted.map(({ transactionalId, producerId, state }) => ({
      transactionalId,
      producerId,
      transactionState: states[state],
    })),
  }
}

function listed(transactions: ProducerTransactions): readonly TransactionSummary[] {
  return transactions.list().toSorted((a, b) => (a.transactionalId < b.transactionalId ? -1 : 1))
}

export const describeTransactionsApi: ServedApi = serve(describeTransactions, ({ transactionalIds }, _, client) => ({
  transactionStates: transactionalIds.map((transactionalId) => {
    if (!may(client, 'describe', `transaction:${transactionalId}`)) {
      return noTransaction(transactionalId, errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    }
    if (transactionalId === '') return noTransaction(transactionalId, errors.INVALID_REQUEST)
    const description = client.broker.producerTransactions.describe(transactionalId)
    if (description === undefined) return noTransaction(transactionalId, errors.TRANSACTIONAL_ID_NOT_FOUND)
    return described(client, description)
  }),
}))

function described(client: Client, description: TransactionDescription): DescribedTransaction {
  const { transactionalId, state, timeoutMs, startedMs, producerId, epoch } = description
  const partitions = new Map<string, number[]>()
  for (const { kind, name, partition } of description.partitions) {
    if (kind !== 'topic' || !may(client, 'describe', topicAddress(name))) continue
    const known = partitions.get(name)
    if (known === undefined) partitions.set(name, [partition])
    else known.push(partition)
  }
  return {
    errorCode: errors.NONE,
    transactionalId,
    transactionState: states[state],
    transactionTimeoutMs: timeoutMs,
    transactionStartTimeMs: startedMs ?? UNKNOWN,
    producerId,
    producerEpoch: epoch,
    topics: [...partitions].map(([topic, indexes]) => ({ topic, partitions: indexes })),
  }
}

function noTransaction(transactionalId: string, errorCode: number): DescribedTransaction {
  return {
    errorCode,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0,
    producerEpoch: 0,
    topics: [],
  }
}

export const describeProducersApi: ServedApi = serve(describeProducers, ({ topics }, _, client) => {
  const found = new Set<StoredPartition>()
  const failures = topics.map(({ name, partitionIndexes }) =>
    partitionIndexes.map((index) => {
      try {
        permit(client, 'read', topicAddress(name))
        const partition = partitionOf(topicOf(client.broker, name, NO_TOPIC_ID), index)
        if (found.has(partition)) throw new KafkaError(errors.INVALID_REQUEST, 'a partition is asked about twice')
        found.add(partition)
        return undefined
      } catch (error) {
        return failure(error)
      }
    }),
  )
  const producers = client.broker.producersOf([...found]).values()
  return {
    topics: topics.map(({ name, partitionIndexes }, n) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex, m) => {
        const failed = failures[n]![m]
        if (failed !== undefined) return { partitionIndex, ...failed, activeProducers: [] }
        return { partitionIndex, ...success, activeProducers: (producers.next().value ?? []).map(shown) }
      }),
    })),
  }
})

function shown({ producerId, epoch, lastSequence, usedMs }: PartitionProducer): ActiveProducer {
  return {
    producerId,
    producerEpoch: epoch,
    lastSequence,
    lastTimestamp: usedMs,
    coordinatorEpoch: UNKNOWN,
    // What is not committed is not in the partition.
    currentTxnStartOffset: UNKNOWN,
  }
}
