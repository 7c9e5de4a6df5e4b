import type { MillraceError } from '../base/errors.ts'
import type { Ticket } from '../storage/log-store.ts'

/**
 * The façade: all that a door may do. Calls are synchronous and take effect in the open commit; what they changed is
 * durable once `committedTicket` reaches the ticket they returned. Doors wait for that before they confirm anything.
 * `open-broker.ts` implements it over a LogStore.
 */
export interface Broker {
  /** Made when the data was new, and the same as long as the data is. */
  readonly id: string

  // ---- definitions ------------------------------------------------------------------------------------------------
  /** Creates it, or does nothing if it exists with the same settings. @throws `already_exists`, `illegal_name`, `limit_reached`, `bad_request` */
  createTopic(spec: TopicSpec): Ticket
  createQueue(spec: QueueSpec): Ticket
  createSubscription(spec: SubscriptionSpec): Ticket
  /** Changes settings of an existing topic; partitions can only grow. @throws `not_found`, `bad_request` */
  updateTopic(name: string, change: Partial<Omit<TopicSpec, 'name'>>): Ticket
  updateQueue(name: string, change: Partial<Omit<QueueSpec, 'name'>>): Ticket
  /** Where it begins is no setting any more once it exists. */
  updateSubscription(topic: string, name: string, change: SubscriptionChange): Ticket
  /** Deletes it with its records; its consumers are closed with `not_found`. @throws `not_found` */
  deleteTopic(name: string): Ticket
  deleteQueue(name: string): Ticket
  deleteSubscription(topic: string, name: string): Ticket
  /** @throws `not_found` */
  topic(name: string): TopicInfo
  queue(name: string): QueueInfo
  subscription(topic: string, name: string): SubscriptionInfo
  topics(): readonly TopicInfo[]
  queues(): readonly QueueInfo[]
  subscriptions(topic?: string): readonly SubscriptionInfo[]

  // ---- publish ----------------------------------------------------------------------------------------------------
  /**
   * Resolves a destination once, for many publishes. With `create`, a missing topic or queue is created with default
   * settings if the broker's configuration allows it.
   * @param destination `queue:NAME` or `topic:NAME`
   * @throws `not_found`, `bad_request`, `illegal_name`
   */
  destination(destination: string, create: boolean): Destination

  // ---- consume ----------------------------------------------------------------------------------------------------
  /**
   * Joins the consumers of a queue or of a subscription. Nothing is delivered until credit is granted.
   * @param source `queue:NAME` or `topic:NAME/SUBSCRIPTION`
   */
  consume(source: string, options: ConsumeOptions, sink: DeliverySink): Consumer
  /**
   * Reads a topic partition or browses a queue without consuming, and follows its end. Nothing is delivered until credit is granted.
   * @param source `queue:NAME` or `topic:NAME`; a queue has the one partition 0 and shows all messages that are not yet acked
   */
  read(source: string, options: ReadOptions, sink: DeliverySink): Reader

  // ---- durability -------------------------------------------------------------------------------------------------
  /** Ticket of the open commit. */
  ticket(): Ticket
  readonly committedTicket: Ticket
  onCommitted(listener: (ticket: Ticket) => void): () => void
  /** Resolves once `ticket` is durable; rejects with `outcome_unknown` if the journal fails first. For control calls, not for hot paths. */
  whenCommitted(ticket: Ticket): Promise<void>

  // ---- overload ---------------------------------------------------------------------------------------------------
  /** True while publishers should not be read from. */
  readonly congested: boolean
  /** Calls back when `congested` turned false. */
  onRelief(listener: () => void): () => void

  readonly limits: BrokerLimits
  stats(): BrokerStats
  /** Refuses new publishes and consumers with `draining`, closes consumers, commits, stops timers. The store is closed by whoever opened it. */
  close(): Promise<void>
}

export interface TopicSpec {
  readonly name: string
  /** Default 1. */
  readonly partitions?: number
  readonly retention?: Retention
  /** `delete` (default) drops old records by `retention`; `compact` keeps the last record of every key. */
  readonly cleanup?: 'delete' | 'compact'
}

/** What exceeds any of these is dropped, oldest first. Absent means no limit. */
export interface Retention {
  readonly ms?: number
  readonly bytes?: number
  readonly records?: number
}

export interface QueueSpec {
  readonly name: string
  readonly delivery?: DeliveryPolicy
}

export interface SubscriptionSpec {
  readonly topic: string
  readonly name: string
  /** Where a new subscription begins. Default `latest`. */
  readonly from?: StartPosition
  readonly delivery?: DeliveryPolicy
}

export type SubscriptionChange = Partial<Omit<SubscriptionSpec, 'topic' | 'name' | 'from'>>

/** How messages are handed out and what happens to those that fail. Shared by queues and subscriptions. */
export interface DeliveryPolicy {
  /** A delivery that is not settled for so long is given to another consumer. Default 60,000. */
  readonly leaseMs?: number
  /** Deliveries before a message is dead-lettered (or dropped where there is no `deadLetter`). Default: no limit. */
  readonly maxAttempts?: number
  /** Destination of dead letters: `queue:NAME` or `topic:NAME`. */
  readonly deadLetter?: string
}

export type StartPosition = 'earliest' | 'latest' | { readonly offset: number } | { readonly timestampMs: number }

export interface TopicInfo extends Required<Omit<TopicSpec, 'retention'>> {
  readonly retention: Retention
  readonly partitionInfo: readonly { readonly start: number; readonly end: number; readonly bytes: number }[]
  readonly subscriptions: readonly string[]
}

export interface QueueInfo extends DeliveryInfo {
  readonly name: string
}

export interface SubscriptionInfo extends DeliveryInfo {
  readonly topic: string
  readonly name: string
}

export interface DeliveryInfo {
  readonly delivery: DeliveryPolicy
  /** Messages that wait for a consumer. */
  readonly ready: number
  /** Messages that a consumer holds. */
  readonly inFlight: number
  /** Bytes of the stored batches behind them. */
  readonly bytes: number
  readonly consumers: number
  /** Timestamp of the oldest message that is not acked, or undefined when there is none. */
  readonly oldestTimestampMs: number | undefined
  readonly counters: {
    readonly published: number
    readonly delivered: number
    readonly acked: number
    readonly redelivered: number
    readonly deadLettered: number
  }
}

/** A topic or queue that was resolved for publishing. Stays valid until the thing is deleted. */
export interface Destination {
  readonly name: string
  readonly kind: 'topic' | 'queue'
  /** 1 for a queue. May grow. */
  readonly partitions: number
  /**
   * Publishes one record batch as it is (validated: `record-batch.ts` of wire). The bytes may be reused after the call.
   * @param partition 0..partitions-1, or -1 to let the broker spread batches
   * @returns the base offset; the ticket is `broker.ticket()`
   * @throws `bad_batch`, `record_too_large`, `disk_full`, `overloaded`, `draining`, `not_found` when it was deleted
   */
  publish(partition: number, batch: Uint8Array): number
  /** Partition for a key: murmur2 as Kafka's default partitioner, -1 for no key. */
  partitionFor(key: Uint8Array | null): number
}

export interface ConsumeOptions {
  readonly create?: boolean
  /** For a subscription that is created now. */
  readonly from?: StartPosition
  /** Overrides the policy's lease for this consumer. */
  readonly leaseMs?: number
}

/** Where deliveries go. Called from within the broker: must not throw and must not call back into the broker synchronously, other than `grant`. */
export interface DeliverySink {
  deliver(delivery: Delivery): void
  /** Of a reader, once: everything that was committed when it got there was delivered. */
  caughtUp?(): void
  /** The consumer is gone: deleted, drained or failed. Nothing follows. */
  closed(reason: MillraceError): void
}

/** A run of messages out of one stored batch, all with the same attempt number. */
export interface Delivery {
  readonly partition: number
  /** Offset of the batch's first position; record offset = baseOffset + its delta. */
  readonly baseOffset: number
  /** First and last offset handed out (inclusive); other records of the batch are not for this consumer. */
  readonly first: number
  readonly last: number
  /** 1 for the first delivery; also the epoch of the delivery's handle. 0 from a reader. */
  readonly attempt: number
  /** The whole stored record batch; its base offset field is not meaningful. Read-only; may be kept. */
  readonly batch: Uint8Array
}

export interface Consumer {
  /** Allows so many more messages. Settling does NOT give credit back by itself: the door decides (prefetch, pull, ...). Infinity is legal. */
  grant(messages: number): void
  /** Takes back all credit that is not used. */
  revoke(): void
  /**
   * Settles `first..last` (inclusive) of a partition, all held by this consumer.
   * @param attempt when given, the deliveries must have this attempt number
   * @throws `stale_delivery` when any of them is not held by it (any more); the others of the range are settled all the same
   */
  settle(partition: number, first: number, last: number, outcome: Outcome, attempt?: number): void
  /**
   * Extends the lease of `first..last` to now + its lease time.
   * @param attempt when given, the deliveries must have this attempt number
   * @throws `stale_delivery` when any of them is not held by it (any more); the others of the range are extended all the same
   */
  extend(partition: number, first: number, last: number, attempt?: number): void
  /** Leaves. What it holds goes back to its original position, at once. Idempotent. */
  close(): void
}

export type Outcome =
  | { readonly kind: 'ack' }
  /** Goes back to its position and is delivered again; counts as an attempt unless `uncounted`. */
  | { readonly kind: 'nack'; readonly delayMs?: number; readonly uncounted?: boolean; readonly error?: string }
  /** To the dead letters at once. */
  | { readonly kind: 'reject'; readonly reason?: string }

export interface ReadOptions {
  readonly partition?: number
  readonly from: StartPosition
}

export interface Reader {
  /** Allows so many more messages. */
  grant(messages: number): void
  /** True once everything committed so far was delivered. */
  readonly atEnd: boolean
  close(): void
}

export interface BrokerLimits {
  readonly batchBytesMax: number
  readonly nameBytesMax: number
  readonly partitionsMax: number
  readonly queuesMax: number
  readonly inFlightPerConsumerMax: number
}

export interface BrokerStats {
  readonly topics: number
  readonly queues: number
  readonly consumers: number
  readonly publishedMessages: number
  readonly publishedBytes: number
  readonly deliveredMessages: number
  readonly ackedMessages: number
  readonly redeliveredMessages: number
  readonly deadLetteredMessages: number
}
