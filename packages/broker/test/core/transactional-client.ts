/** A transactional producer as a client library has it: it numbers what it sends, and can send the same again. */
import { encodeBatch, setBatchProducer } from '@millrace/wire'
import type { ProducerIdentity } from '../../src/core/broker.ts'
import type { GroupProblem, OffsetProblem } from '../../src/core/groups/consumer-groups.ts'
import type {
  EndedTransaction,
  EnlistMode,
  TransactionalProducer,
  TransactionOutcome,
} from '../../src/core/producer-transactions/producer-transactions.ts'
import type { TestBroker } from './harness.ts'

const encoder = new TextEncoder()

export interface SentBatch {
  readonly destination: string
  readonly partition: number
  readonly batch: Uint8Array
}

export class TransactionalClient {
  readonly transactionalId: string
  identity: ProducerIdentity = { producerId: -1, epoch: -1 }
  last: SentBatch | undefined
  readonly #test: TestBroker
  readonly #timeoutMs: number
  readonly #sequences = new Map<string, number>()

  constructor(test: TestBroker, transactionalId: string, timeoutMs = 60_000) {
    this.#test = test
    this.transactionalId = transactionalId
    this.#timeoutMs = timeoutMs
  }

  /** @param current goes on as who it was */
  open(current?: ProducerIdentity): this {
    const { producerTransactions } = this.#test.broker
    this.goOn(producerTransactions.open(this.transactionalId, this.#timeoutMs, current))
    return this
  }

  goOn(identity: ProducerIdentity): void {
    const { producerId, epoch } = this.identity
    if (identity.producerId !== producerId || identity.epoch !== epoch) this.#sequences.clear()
    this.identity = identity
  }

  get by(): TransactionalProducer {
    return { transactionalId: this.transactionalId, ...this.identity }
  }

  /** One batch. @returns whether it was new */
  send(destination: string, partition: number, values: readonly string[], mode: EnlistMode = 'begin'): boolean {
    const place = `${destination}/${partition}`
    const sequence = this.#sequences.get(place) ?? 0
    const timestampMs = this.#test.platform.clock.nowMs()
    const batch = encodeBatch(values.map((value) => ({ timestampMs, key: null, value: encoder.encode(value) })))
    setBatchProducer(batch, this.identity.producerId, this.identity.epoch, sequence)
    this.last = { destination, partition, batch }
    const isNew = this.sendAgain(this.last, mode)
    this.#sequences.set(place, sequence + values.length)
    return isNew
  }

  sendAgain({ destination, partition, batch }: SentBatch, mode: EnlistMode = 'begin'): boolean {
    const { broker } = this.#test
    const to = broker.destination(destination, false)
    return broker.producerTransactions.publish(this.transactionalId, to, partition, batch, mode)
  }

  enlist(destination: string, ...partitions: readonly number[]): void {
    const { broker } = this.#test
    const to = broker.destination(destination, false)
    broker.producerTransactions.enlist(
      this.by,
      partitions.map((partition) => ({ to, partition })),
    )
  }

  addOffset(
    group: string,
    topic: string,
    partition: number,
    offset: number,
    mode: EnlistMode = 'begin',
  ): GroupProblem | readonly (OffsetProblem | undefined)[] {
    const { producerTransactions } = this.#test.broker
    return producerTransactions.addOffsets(this.by, group, [{ topic, partition, offset }], undefined, mode)
  }

  end(outcome: TransactionOutcome, bumpEpoch = false): EndedTransaction {
    const ended = this.#test.broker.producerTransactions.end(this.by, outcome, bumpEpoch)
    this.goOn(ended.identity)
    return ended
  }
}
