import type { QueueEnd } from './delivery/queue-end.ts'
import type { MillraceError } from '../base/errors.ts'
import type { Ticket } from '../storage/log-store.ts'
import type { PartitionProducer, StoredPartition, StoredTopic } from './stored-topic.ts'
import type { Destination, DuplicateRecord, KeyCheck, PlacedRun } from './destination.ts'
import type { ConsumerGroups, OffsetCommit, OffsetCommitter } from './groups/consumer-groups.ts'
import type { SubscriptionGroups } from './subscription-groups/subscription-groups.ts'
import type { Documents } from './documents/documents.ts'
import type { ProducerTransactions } from './producer-transactions/producer-transactions.ts'
import type { Quotas } from './quotas/quotas.ts'
import type { Reader, ReadOptions } from './reader.ts'
import type { RedriveInfo, RedriveSpec } from './redrive/redrive.ts'
import type { Labels, Route, Router } from './router/router.ts'
import type { Shortages } from './shortages.ts'
import type {
  DedupPolicy,
  DeliveryPolicy,
  QueueLimits,
  QueueSpec,
  Retention,
  StartPosition,
  SubscriptionChange,
  SubscriptionSpec,
  TopicSpec,
} from './specs.ts'

export type * from './destination.ts'
export type * from './documents/documents.ts'
export type * from './groups/consumer-groups.ts'
export type * from './quotas/quotas.ts'
export type * from './reader.ts'
export type * from './redrive/redrive.ts'
export type * from './router/router.ts'
export type * from './subscription-groups/subscription-groups.ts'
export type * from './specs.ts'
export type * from './stored-topic.ts'

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
  /** Priorities can only grow; what waits stays at its level. */
  updateQueue(name: string, change: Partial<Omit<QueueSpec, 'name'>>): Ticket
  /** Where it begins is no setting any more once it exists. */
  updateSubscription(topic: string, name: string, change: SubscriptionChange): Ticket
  /** Deletes it with its records; its consumers are closed with `not_found`. @throws `not_found` */
  deleteTopic(name: string): Ticket
  deleteQueue(name: string): Ticket
  deleteSubscription(topic: string, name: string): Ticket
  /**
   * Calls back with the address of each topic, queue and exchange that is gone, in the turn in which it went: deleted, expired, or without
   * consumers. @returns a function that stops it
   */
  onDeleted(listener: (address: string) => void): () => void
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
   * @param destination `queue:NAME`, `topic:NAME` or `exchange:NAME[/KEY]`: each message goes by KEY, or else by its own key
   * @throws `not_found`, `bad_request`, `illegal_name`, `forbidden` for an internal exchange
   */
  destination(destination: string, create: boolean, checkKey?: KeyCheck): Destination
  /**
   * Publishes and settles, all or none of them, in one commit. Everything is checked before anything is changed; what throws has
   * changed nothing.
   * @returns for each action where its batch went: one entry for a publish, one for each destination that a multicast names, none for the
   * others. The ticket is `ticket()`
   * @throws what `publish` throws, `stale_delivery` naming the ranges that are not held or the scheduled message that does not wait, `record_too_large` when no commit can hold all
   * of it, `limit_reached` for too many actions or destinations, `bad_request` when a message is settled twice, `fenced` when
   * a member may not commit offsets (any more)
   */
  transact(actions: readonly TransactionAction[]): readonly (readonly Published[])[]

  /**
   * Opens an idempotent producer: its batches carry the id, the epoch, and the sequence of their first record in the partition
   * (record-batch.ts of wire), and each is stored once, however often it is published. Epoch and sequences begin with 0.
   * @param name whoever opens it gets the same id and a higher epoch, and fences those who opened it before; it may be used once
   * `ticket()` is committed. Without a name the id is a new one.
   * @param current of somebody who goes on in a new epoch after a refusal
   * @throws `fenced` when somebody else opened it since `current`, `bad_request`
   */
  openProducer(name?: string, current?: ProducerIdentity): ProducerIdentity

  /**
   * Takes back a scheduled message.
   * @returns whether it was still waiting: then, once `ticket()` is durable, it is never delivered
   */
  cancelScheduled(id: ScheduleId): boolean
  /** The topic or queue that a waiting message is for, as an address; undefined when it does not wait (any more). */
  scheduled(id: ScheduleId): string | undefined

  // ---- consume ----------------------------------------------------------------------------------------------------
  /**
   * Joins the consumers of a queue or of a subscription. Nothing is delivered until credit is granted.
   * @param source `queue:NAME` or `topic:NAME/SUBSCRIPTION`
   */
  consume(source: string, options: ConsumeOptions, sink: DeliverySink): Consumer
  /**
   * Reads a topic partition or browses a queue without consuming, and follows its end. Nothing is delivered until credit is granted.
   * @param source `queue:NAME` or `topic:NAME`; a queue has the partition 0, with priorities one for each level, and shows all messages
   * that are not yet acked
   * @throws `bad_selector`, `bad_request`, `not_found`, `offset_out_of_range`
   */
  read(source: string, options: ReadOptions, sink: DeliverySink): Reader

  /** The partitions that `read` may be asked for and that may hold something, in the order in which they are shown. @throws `not_found` */
  partitions(source: string): readonly number[]

  // ---- topics as they are stored ------------------------------------------------------------------------------------
  /** @throws `not_found` */
  storedTopic(name: string): StoredTopic
  /** By `StoredTopic.id`; undefined when there is none. */
  storedTopicById(id: string): StoredTopic | undefined
  /** All of them. */
  storedTopics(): readonly StoredTopic[]
  /** Who wrote to each of these partitions, as far as it is remembered. It takes time in proportion to all that is remembered, once for all. */
  producersOf(partitions: readonly StoredPartition[]): readonly (readonly PartitionProducer[])[]

  /** Consumers that share the partitions of topics, and how far they are. */
  readonly groups: ConsumerGroups

  /** Subscriptions of one name: what an application reads of several topics. */
  readonly subscriptionGroups: SubscriptionGroups

  /** Transactions of named producers, which stay open over many requests. */
  readonly producerTransactions: ProducerTransactions

  /** How fast users and clients may be. */
  readonly quotas: Quotas

  /** Small facts that doors keep. */
  readonly documents: Documents

  /** Exchanges and bindings. */
  readonly router: Router

  // ---- dead letters -----------------------------------------------------------------------------------------------
  /**
   * Moves messages of a queue back to where they died, or elsewhere: each in one commit with the end of the original. Runs in
   * the background, over what was committed when it began and no consumer holds. A restart ends it: what was moved stays moved.
   * @throws `bad_request`, `illegal_name`, `bad_selector`, `not_found`, `limit_reached`, `offset_out_of_range` when the one message that was
   * asked for cannot be moved
   */
  redrive(spec: RedriveSpec): RedriveInfo
  /** Those under way, and the last that have ended. */
  redrives(): readonly RedriveInfo[]
  /** @throws `not_found` */
  redriveInfo(id: number): RedriveInfo
  /** Resolves when it has ended and what it did is durable. @throws `not_found`, `outcome_unknown` */
  whenRedriven(id: number): Promise<RedriveInfo>
  /** @returns whether it was still under way. @throws `not_found` */
  cancelRedrive(id: number): boolean
  /** Counts as use of a queue, which may have to be used (`QueueSpec.expireMs`). @throws `not_found` */
  useQueue(name: string): void
  /** Where a queue ends now, with what is published and not committed yet. @throws `not_found` */
  endOfQueue(name: string): QueueEnd
  /** Drops all messages of a queue that are committed and that no consumer holds; with `end`, of those before it. @throws `not_found` */
  purgeQueue(name: string, end?: QueueEnd): Purge

  // ---- durability -------------------------------------------------------------------------------------------------
  /** Ticket of the open commit, which comes even if there is nothing in it: ask for it when something waits for it. */
  ticket(): Ticket
  readonly committedTicket: Ticket
  /** With which all that can be seen now is durable: committed already, unless something is under way. */
  readonly visibleTicket: Ticket
  onCommitted(listener: (ticket: Ticket) => void): () => void
  /** Resolves once `ticket` is durable; rejects with `outcome_unknown` if the journal fails first. For control calls, not for hot paths. */
  whenCommitted(ticket: Ticket): Promise<void>

  // ---- overload ---------------------------------------------------------------------------------------------------
  /** True while publishers should not be read from. */
  readonly congested: boolean
  /** What it lacks. */
  readonly shortages: Shortages
  /** Calls back when `congested` or one of `shortages` turned false. */
  onRelief(listener: () => void): () => void

  readonly limits: BrokerLimits
  stats(): BrokerStats
  /** Refuses new publishes and consumers with `draining`, closes consumers, commits, stops timers. The store is closed by whoever opened it. */
  close(): Promise<void>
}

export interface TopicInfo extends Required<Omit<TopicSpec, 'retention' | 'dedup' | 'batchBytesMax' | 'labels'>> {
  /** Absent where it is that of the broker. */
  readonly batchBytesMax?: number
  /** Absent while it is off. */
  readonly dedup?: DedupPolicy
  readonly retention: Retention
  /** Messages that wait to be published into it: see `Destination.publishLater`. */
  readonly scheduled: number
  readonly partitionInfo: readonly { readonly start: number; readonly end: number; readonly bytes: number }[]
  readonly subscriptions: readonly string[]
  readonly labels?: Labels
}

export interface QueueInfo extends DeliveryInfo {
  readonly name: string
  /** Absent without priorities. */
  readonly priorities?: number
  /** With priorities: the levels that were used, the highest first. */
  readonly levels?: readonly LevelInfo[]
  /** Messages that wait to be published into it: see `Destination.publishLater`. */
  readonly scheduled: number
  /** Milliseconds since something was published to it, delivered or settled, or since the broker started. */
  readonly idleMs: number
  /** Absent while it is off. */
  readonly dedup?: DedupPolicy
  readonly expireMs?: number
  readonly limits?: QueueLimits
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly labels?: Labels
}

/** Messages of one priority. */
export interface LevelInfo {
  readonly priority: number
  /** As in `DeliveryInfo`. */
  readonly ready: number
  readonly inFlight: number
}

/** What was purged is gone for good once the ticket is committed. */
export interface Purge {
  readonly ticket: Ticket
  readonly messages: number
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
    /** Expired, purged, too much, or failed for good where there are no dead letters. */
    readonly dropped: number
  }
}

export interface ProducerIdentity {
  readonly producerId: number
  readonly epoch: number
}

/** Of a scheduled message: an integer from 1 to 2^53 - 1, never given twice; 0 stands for one that was published at once. */
export type ScheduleId = number

/** One step of a transaction. Batches are borrowed until the call returns. */
export type TransactionAction =
  | { readonly kind: 'publish'; readonly to: Destination; readonly partition: number; readonly batch: Uint8Array }
  /** One stored copy for all destinations. One named twice gets it once. The key of the first record decides the partition of a topic. */
  | { readonly kind: 'multicast'; readonly to: readonly Destination[]; readonly batch: Uint8Array }
  /** As `Route.publish`, but that what refuses a batch refuses the transaction. Delays begin now. */
  | { readonly kind: 'route'; readonly route: Route; readonly batch: Uint8Array }
  | {
      readonly kind: 'settle'
      readonly consumer: Consumer
      readonly partition: number
      readonly first: number
      readonly last: number
      readonly attempt?: number
      readonly outcome: Outcome
    }
  /** Takes back a scheduled message, which must be waiting. */
  | { readonly kind: 'cancel'; readonly id: ScheduleId }
  /** Commits offsets of a group. @param by as for `ConsumerGroups.commitOffsets`; absent when that was checked before */
  | {
      readonly kind: 'offsets'
      readonly group: string
      readonly offsets: readonly OffsetCommit[]
      readonly by?: OffsetCommitter
    }

/** Where a batch was published. */
export interface Published {
  /** Of its first record. */
  readonly partition: number
  /** When all of it are duplicates, that of the first original, or 0. */
  readonly baseOffset: number
  /** As `Destination.duplicates` and `Destination.placed`. */
  readonly duplicates?: readonly DuplicateRecord[]
  readonly placed?: readonly PlacedRun[]
}

export interface ConsumeOptions {
  readonly create?: boolean
  /** For a subscription that is created now. */
  readonly from?: StartPosition
  /** Overrides the policy's lease for this consumer. */
  readonly leaseMs?: number
  /** Consumers with credit get messages before those with a lower one. A whole number; default 0. */
  readonly priority?: number
  /** Nobody else may consume while this one does. @throws `in_use` when somebody does */
  readonly exclusive?: boolean
  /**
   * It takes messages when it wants some, and is not there to be served: `autoDelete` neither waits for it nor for its end, and it counts as a
   * consumer only while it has credit. Default false.
   */
  readonly polls?: boolean
}

/** Where deliveries go. Called from within the broker: must not throw and must not call back into the broker synchronously, other than `grant`. */
export interface DeliverySink {
  deliver(delivery: Delivery): void
  /** Of a reader, once: everything that was committed when it got there was delivered. */
  caughtUp?(): void
  /** Of a consumer, once for each `drain`: it got what there was, and has no credit any more. */
  drained?(): void
  /** Of a reader with a filter: everything before `next` was looked at, and what of it matches was delivered. */
  passed?(partition: number, next: number): void
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
  /**
   * One that polls asks before it grants: somebody may have joined who consumes alone. Credit that it grants then is for nothing.
   * @throws MillraceError `in_use`
   */
  checkAdmitted(): void
  /** Allows so many more messages. Settling does NOT give credit back by itself: the door decides (prefetch, pull, ...). Infinity is legal. */
  grant(messages: number): void
  /** Takes back all credit that is not used. */
  revoke(): void
  /**
   * Its credit counts for what can be delivered now, reading from the disk included; what is left of it then is taken back, and `drained` is
   * called. Now is: published by now, ready, within rate and pause, not wanted by consumers that come before it. Nothing is called before this returns.
   */
  drain(): void
  /**
   * It is no consumer any more, and gets nothing; what it holds it may still settle, before it closes. So ends what it kept to itself, and its queue,
   * if that is `autoDelete` and has no other. Idempotent.
   */
  retire(): void
  /** From now on it gets messages of these partitions alone. By default of all. */
  restrict(partitions: ReadonlySet<number>): void
  /** How long it may hold a message that is delivered now. */
  readonly leaseMs: number
  /** `shared`: it gets its part; `single`: all, with `consumers: 'single'` or strict order; `waiting`: nothing while another is the single one. */
  readonly turn: 'shared' | 'single' | 'waiting'
  /**
   * Settles `first..last` (inclusive) of a partition, all held by this consumer. Who waits for it to be durable asks for a `ticket`; otherwise it
   * becomes so together with what comes next, within milliseconds.
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
  /** Leaves. What it holds goes back to its original position, at once, as a failed attempt unless `uncounted`. Idempotent. */
  close(uncounted?: boolean): void
}

export type Outcome =
  | { readonly kind: 'ack' }
  /**
   * Goes back to its position and is delivered again; counts as an attempt unless `uncounted`. It waits `delayMs`, or else what the
   * policy's `backoff` says, or else `fallbackDelayMs`.
   */
  | {
      readonly kind: 'nack'
      readonly delayMs?: number
      readonly fallbackDelayMs?: number
      readonly uncounted?: boolean
      readonly error?: string
    }
  /** To the dead letters at once. */
  | { readonly kind: 'reject'; readonly reason?: string }

export interface BrokerLimits {
  readonly batchBytesMax: number
  /** Of topics and subscriptions. */
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
  readonly droppedMessages: number
  /** Those that wait now. */
  readonly scheduledMessages: number
}
