// hot path
import { topicAddress } from '@millrace/wire'
import type { MillraceError } from '../../../base/errors.ts'
import type { Consumer, Delivery, DeliverySink, StoredTopic, TransactionAction } from '../../../core/broker.ts'
import { errors, KafkaError } from '../errors.ts'
import { topicOf } from '../handlers/topic-lookup.ts'
import type { Client } from '../served-api.ts'
import type { Acquisition } from './acquisition.ts'
import { mayShare, sharePolicy } from './share-policy.ts'

type Outcome = Extract<TransactionAction, { kind: 'settle' }>['outcome']

/** What is said of a run of records. */
export interface AcknowledgedRun {
  readonly first: number
  readonly last: number
  readonly outcome: Outcome | 'renew'
}

/** A topic in a share session: a consumer of the subscription that is named after the group. */
export class SharedTopic implements DeliverySink {
  readonly id: string
  /** Those that the session named. */
  readonly partitions: Set<number> = new Set()
  /** Where deliveries go while somebody waits for them. */
  acquisition: Acquisition | undefined
  readonly #client: Client
  readonly #group: string
  #topic: StoredTopic | undefined
  #consumer: Consumer | undefined

  constructor(client: Client, group: string, id: string) {
    this.#client = client
    this.#group = group
    this.id = id
  }

  /** Milliseconds for which records are acquired. */
  get leaseMs(): number | undefined {
    return this.#consumer?.leaseMs
  }

  /**
   * Joins the consumers of the subscription, if it does not consume. Whoever may not do so any more leaves.
   * @throws KafkaError UNKNOWN_TOPIC_ID, TOPIC_AUTHORIZATION_FAILED, MillraceError
   */
  join(): void {
    const { broker } = this.#client
    const topic = topicOf(broker, null, this.id)
    try {
      mayShare(this.#client, topic.name, this.#group)
    } catch (error) {
      this.close()
      throw error
    }
    if (this.#consumer !== undefined) return
    broker.subscriptionGroups.subscribe(topic.name, this.#group, sharePolicy)
    this.#consumer = broker.consume(topicAddress(topic.name, this.#group), {}, this)
    this.#consumer.restrict(this.partitions)
    this.#topic = topic
  }

  /** Whether it has that partition. */
  has(index: number): boolean {
    return this.#topic?.partitions[index] !== undefined
  }

  /** So many records may come, and no more. */
  allow(records: number): void {
    this.#consumer?.revoke()
    if (records > 0) this.#consumer?.grant(records)
  }

  /**
   * Settles all of the runs or none; then renews.
   * @returns whether there is something to be committed
   * @throws MillraceError `stale_delivery`
   */
  acknowledge(partition: number, runs: readonly AcknowledgedRun[]): boolean {
    const consumer = this.#consumer
    if (consumer === undefined) throw new KafkaError(errors.INVALID_RECORD_STATE, 'nothing of this topic is acquired')
    const actions: TransactionAction[] = []
    for (const { first, last, outcome } of runs) {
      if (outcome !== 'renew') actions.push({ kind: 'settle', consumer, partition, first, last, outcome })
    }
    if (actions.length > 0) this.#client.broker.transact(actions)
    for (const { first, last, outcome } of runs) if (outcome === 'renew') consumer.extend(partition, first, last)
    return actions.length > 0
  }

  /** What was acquired and not acknowledged goes back as if it had not been delivered: as in Kafka, whose clients read ahead. @returns whether there is something to be committed */
  close(): boolean {
    const consumer = this.#consumer
    this.#consumer = undefined
    consumer?.close(true)
    return consumer !== undefined
  }

  // ---- DeliverySink ---------------------------------------------------------------------------------------------------

  deliver(delivery: Delivery): void {
    this.acquisition?.take(this, delivery)
  }

  closed(_reason: MillraceError): void {
    // The next fetch finds out why.
    this.#consumer = undefined
    this.acquisition?.lost()
  }
}
