/** A transactional producer of the Kafka door: what a client library does, in the versions that are asked for. */
import { encodeBatch, setBatchProducer } from '@millrace/wire'
import { fetch, produce } from '../../src/protocols/kafka/messages/records.ts'
import * as messages from '../../src/protocols/kafka/messages/transactions.ts'
import type { KafkaPeer } from './kafka-peer.ts'

const TRANSACTIONAL = 0x10

/** Versions of the requests. */
export interface Dialect {
  readonly init: number
  readonly produce: number
  readonly partitions: number
  readonly offsets: number
  readonly commitOffsets: number
  readonly end: number
}

/** Of the clients of Node and of librdkafka: partitions and groups are named before they are used. */
export const OLD: Dialect = { init: 1, produce: 7, partitions: 1, offsets: 1, commitOffsets: 3, end: 1 }
/** The same with newer errors. */
export const MIDDLE: Dialect = { init: 5, produce: 11, partitions: 3, offsets: 4, commitOffsets: 4, end: 4 }
/** Of Java's clients since 4.0: the first record begins a transaction, and each has an epoch of its own. */
export const NEW: Dialect = { init: 5, produce: 12, partitions: 3, offsets: 4, commitOffsets: 5, end: 5 }

export class TransactionalPeer {
  readonly peer: KafkaPeer
  readonly transactionalId: string
  readonly dialect: Dialect
  producerId = -1
  producerEpoch = -1
  readonly #sequences = new Map<string, number>()

  constructor(peer: KafkaPeer, dialect: Dialect, transactionalId = 'p') {
    this.peer = peer
    this.dialect = dialect
    this.transactionalId = transactionalId
  }

  /** @returns the error code */
  async init(timeoutMs = 60_000, goesOn = false): Promise<number> {
    const current = goesOn ? this.#identity : { producerId: -1, producerEpoch: -1 }
    const { transactionalId } = this
    const request = { transactionalId, transactionTimeoutMs: timeoutMs, ...current }
    const answer = await this.peer.ask(messages.initProducerId, this.dialect.init, request)
    if (answer.errorCode === 0) this.#becomes(answer)
    return answer.errorCode
  }

  /** @returns the error code, and the offset */
  async produce(value: string, topic = 't', index = 0): Promise<readonly [code: number, offset: number]> {
    const place = `${topic}/${index}`
    const sequence = this.#sequences.get(place) ?? 0
    const batch = transactionalBatch(value, this.producerId, this.producerEpoch, sequence)
    const answer = await this.send(batch, topic, index)
    if (answer[0] === 0) this.#sequences.set(place, sequence + 1)
    return answer
  }

  async send(records: Uint8Array, name: string, index: number): Promise<readonly [code: number, offset: number]> {
    this.post(records, name, index)
    await this.peer.settle()
    return this.posted()
  }

  /** Without waiting for the answer. */
  post(records: Uint8Array, name: string, index: number): void {
    const topicData = [{ name, partitionData: [{ index, records }] }]
    const request = { transactionalId: this.transactionalId, acks: -1, timeoutMs: 1000, topicData }
    this.peer.send(produce, this.dialect.produce, request)
  }

  posted(): readonly [code: number, offset: number] {
    const { responses } = this.peer.take(produce, this.dialect.produce)
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
    return [errorCode, baseOffset]
  }

  /** @returns the error codes */
  async addPartitions(partitions: readonly number[], name = 't'): Promise<readonly number[]> {
    const { producerId, producerEpoch } = this
    const { resultsByTopicV3AndBelow: results } = await this.peer.ask(messages.addPartitionsToTxn, this.dialect.partitions, {
      v3AndBelowTransactionalId: this.transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: [{ name, partitions }],
    })
    return results[0]!.resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode)
  }

  async addGroup(groupId = 'g'): Promise<number> {
    const request = { transactionalId: this.transactionalId, ...this.#identity, groupId }
    return (await this.peer.ask(messages.addOffsetsToTxn, this.dialect.offsets, request)).errorCode
  }

  async commitOffset(
    committedOffset: number,
    more: { groupId?: string; memberId?: string; index?: number } = {},
  ): Promise<number> {
    const { groupId = 'g', memberId = '', index: partitionIndex = 0 } = more
    const partitions = [{ partitionIndex, committedOffset, committedMetadata: null }]
    const { transactionalId } = this
    const member = { memberId, generationId: memberId === '' ? -1 : 1 }
    const request = { transactionalId, groupId, ...this.#identity, ...member, topics: [{ name: 't', partitions }] }
    const { topics } = await this.peer.ask(messages.txnOffsetCommit, this.dialect.commitOffsets, request)
    return topics[0]!.partitions[0]!.errorCode
  }

  async end(committed: boolean): Promise<number> {
    const request = { transactionalId: this.transactionalId, ...this.#identity, committed }
    const answer = await this.peer.ask(messages.endTxn, this.dialect.end, request)
    if (answer.errorCode === 0 && this.dialect.end >= 5) this.#becomes(answer)
    return answer.errorCode
  }

  /** The same producer at another connection. */
  at(peer: KafkaPeer, dialect: Dialect = this.dialect): TransactionalPeer {
    const { transactionalId, producerId, producerEpoch } = this
    return Object.assign(new TransactionalPeer(peer, dialect, transactionalId), { producerId, producerEpoch })
  }

  get #identity(): { producerId: number; producerEpoch: number } {
    return { producerId: this.producerId, producerEpoch: this.producerEpoch }
  }

  #becomes({ producerId, producerEpoch }: { producerId: number; producerEpoch: number }): void {
    if (producerId !== this.producerId || producerEpoch !== this.producerEpoch) this.#sequences.clear()
    Object.assign(this, { producerId, producerEpoch })
  }
}

export function transactionalBatch(value: string, producerId: number, epoch: number, sequence: number): Uint8Array {
  const batch = encodeBatch([{ timestampMs: 1000, value: Buffer.from(value) }]).slice()
  batch[22]! |= TRANSACTIONAL
  setBatchProducer(batch, producerId, epoch, sequence)
  return batch
}

/** What a fetch of a partition shows: where it ends, for both kinds of readers. */
export async function ends(peer: KafkaPeer, isolationLevel: number, topic = 't', partition = 0): Promise<object> {
  const partitions = [{ partition, fetchOffset: 0, partitionMaxBytes: 1_000_000 }]
  const request = { maxWaitMs: 0, minBytes: 0, isolationLevel, topics: [{ topic, partitions }] }
  const { responses } = await peer.ask(fetch, 7, request)
  const { highWatermark, lastStableOffset, abortedTransactions, records } = responses[0]!.partitions[0]!
  return { highWatermark, lastStableOffset, abortedTransactions, isEmpty: (records?.length ?? 0) === 0 }
}
