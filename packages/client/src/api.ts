import type { Backoff, RetryPolicy } from '@millrace/wire'
import type { Declaration } from './typed/declarations.ts'
import type { Exchange, ExchangeAdmin } from './exchanges.ts'
import type { GroupInfo, GroupPartition, GroupReset, GroupSummary } from './groups.ts'
import type { PreparedProducer, PreparedProducerOptions } from './prepared/types.ts'
import type { RedriveInfo, RedriveOptions } from './redrive.ts'
import type { Requesting } from './request/types.ts'
import type { Transaction, TransactionOptions, TransactionPublishOptions } from './transactions/types.ts'
import type { ProducerTransactionInfo, ProducerTransactionSummary } from './producer-transactions.ts'
import type { QuotaAdmin } from './quotas.ts'
import type { UserAdmin } from './users.ts'

export type { Backoff, RetryPolicy }
export type * from './connect-options.ts'
export type * from './exchanges.ts'
export type * from './groups.ts'
export type * from './producer-transactions.ts'
export type * from './security-options.ts'
export type * from './quotas.ts'
export type * from './users.ts'
export type * from './prepared/types.ts'
export type * from './redrive.ts'
export type * from './request/types.ts'
export type * from './transactions/types.ts'

/**
 * What a user of the client sees. One API for a broker across TCP, across a WebSocket, and embedded in this process.
 * `connect.ts` gives a `Millrace` over the network; `millrace/embedded` gives the same without sockets.
 */
export interface Millrace extends AsyncDisposable, Requesting {
  queue(name: string): Queue
  topic(name: string): Topic
  /** @param key by which all messages go; without it, each goes by its own */
  exchange(name: string, key?: string): Exchange
  /** The typed queue or topic of a declaration: `client.use(orders).publish(...)`. */
  use<Handle>(declaration: Declaration<Handle>): Handle
  /** A publisher for many messages: batches them and keeps a bounded number unconfirmed. */
  publisher(destination: string, options?: PublisherOptions): Publisher
  /**
   * Publishes and settles, all or none: `collect` says what belongs to it, and what it returns is returned once the broker has all of
   * it durably. What it throws gives the transaction up: nothing was done, and the messages are still held.
   * @throws MillraceError `stale_delivery` when a message is not held any more, `transaction_timeout`, `outcome_unknown` when the
   * connection was lost on the way
   */
  transaction<T>(collect: (transaction: Transaction) => T | PromiseLike<T>, options?: TransactionOptions): Promise<T>
  /** Publishes one message to all of `destinations` or to none, stored once. One named twice gets it once. @returns where it went, for each */
  multicast(
    destinations: readonly string[],
    body: Body,
    options?: TransactionPublishOptions & Pick<PublishOptions, 'signal'>,
  ): Promise<readonly Receipt[]>
  /**
   * Takes back a message that was published with `delayMs` or `deliverAt`.
   * @param id `scheduled` of its receipt
   * @returns true: it was still waiting and is never delivered; false: it was published, or cancelled before
   */
  cancelScheduled(id: number): Promise<boolean>
  /** Messages in two steps, with `check` for those whose producer died in between. @param group those who can be asked about each other's messages */
  preparedProducer(group: string, options: PreparedProducerOptions): Promise<PreparedProducer>
  readonly admin: Admin
  /** Waits until everything published is confirmed and everything settled is durable, then disconnects. */
  close(): Promise<void>
  /** 'connected', 'connecting' (publishes wait), 'closed'. */
  readonly state: ConnectionState
  on(event: 'state', listener: (state: ConnectionState, cause?: Error) => void): () => void
}

export type ConnectionState = 'connecting' | 'connected' | 'closed'

/** Strings are UTF-8; anything else that is not bytes is sent as JSON with content-type application/json. */
export type Body = Uint8Array | string | number | boolean | null | readonly unknown[] | { readonly [key: string]: unknown }

export interface PublishOptions {
  /** Published only after so long, by the client's clock. Below 0 is refused: `time_in_past`. The receipt then has the id to cancel it with. */
  readonly delayMs?: number
  /** Published only at this time: a Date, or milliseconds since 1970. One that has passed is refused: `time_in_past`. */
  readonly deliverAt?: Date | number
  /** Decides the partition of a topic; with a key, order holds per key. */
  readonly key?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string | Uint8Array>>
  readonly timestampMs?: number
  /** It is not delivered any more so long after its timestamp: it goes to the dead letters as `expired`, or is dropped. */
  readonly ttlMs?: number
  /** 0 (default) to 255: queues with `priorities` deliver higher ones first. Goes into the header `priority`. */
  readonly priority?: number
  /** Its own attempts, backoff or both: they count more than those of the queue or subscription. Goes into the header `millrace-retry`. */
  readonly retry?: RetryPolicy
  readonly signal?: AbortSignal
}

export interface OutgoingMessage extends Omit<PublishOptions, 'signal'> {
  readonly body: Body
}

/** Where a confirmed message is. */
export interface Receipt {
  /** In a queue with priorities: the level. */
  readonly partition: number
  /** -1 when it is not known: of a message for later, and of a duplicate of one whose place is not known any more. */
  readonly offset: number
  /** Of a message for later: its id for `cancelScheduled`. */
  readonly scheduled?: number
  /** It was published before (dedup window, idempotent publisher), and that is where; it was not stored again. */
  readonly duplicate?: true
}

export interface Queue {
  readonly name: string
  /** Resolves once the broker has it durably. @throws MillraceError */
  publish(body: Body, options?: PublishOptions): Promise<Receipt>
  /** All of them in as few batches as possible; resolves when all are confirmed. */
  publishBatch(messages: readonly OutgoingMessage[]): Promise<readonly Receipt[]>
  /** As below, where what the handler publishes through `transaction` and the ack are one: both happen when it returns, or neither. */
  consume(handler: TransactionalHandler, options: ConsumeOptions & TransactionalOptions): Consumption
  /** Handler style: return acks, throw nacks. Runs until `stop`. */
  consume(handler: Handler, options?: ConsumeOptions): Consumption
  /** Iterator style: each message is acked by `message.ack()`; leaving the loop gives back what is unacked. */
  messages(options?: ConsumeOptions): AsyncIterableIterator<Message>
  /** Takes at most `max` messages, waiting up to `waitMs` for the first. They must be settled. */
  pull(options?: PullOptions): Promise<readonly Message[]>
  /** Looks at messages without consuming them. @throws MillraceError `bad_selector`, `not_found` */
  peek(options?: PeekOptions): Promise<Peeked<StoredMessage>>
}

export interface Topic {
  readonly name: string
  publish(body: Body, options?: PublishOptions): Promise<Receipt>
  publishBatch(messages: readonly OutgoingMessage[]): Promise<readonly Receipt[]>
  /** Durable delivery state of that name: its consumers share the topic's messages like a queue's. Created on first use. */
  subscription(name: string, options?: { readonly from?: StartPosition }): Subscription
  /** Reads all partitions (or one) and follows the end, without delivery state. */
  read(options?: ReadOptions): AsyncIterableIterator<StoredMessage>
  peek(options?: PeekOptions): Promise<Peeked<StoredMessage>>
}

export type Subscription = Pick<Queue, 'name' | 'consume' | 'messages' | 'pull'>

export type StartPosition = 'earliest' | 'latest' | { readonly offset: number } | { readonly timestampMs: number }

export type Handler = (message: Message) => unknown

export type TransactionalHandler = (message: Message, transaction: Transaction) => unknown

export interface TransactionalOptions extends Pick<TransactionOptions, 'timeoutMs'> {
  readonly transactional: true
}

export interface ConsumeOptions {
  /** Messages that may be held unacked at once. Default 256. */
  readonly prefetch?: number
  /** Handlers that run at the same time (handler style). Default 1: in order. */
  readonly concurrency?: number
  readonly leaseMs?: number
  /** Consumers with a higher one get messages first while they have room. A whole number; default 0. */
  readonly priority?: number
  /** Nobody else may consume at the same time. The consumption ends with `in_use` when somebody does. */
  readonly exclusive?: boolean
  /**
   * Handler style: wait before a message whose handler threw is delivered again, by attempt (1 for the first). Default: what the
   * queue's `backoff` says, or else 100 ms, doubling up to 30 s. Other messages go on meanwhile.
   */
  readonly retryDelayMs?: number | ((attempt: number) => number)
  /** Handler style: called when a handler throws (the error also goes into the nack) and when a settle failed. */
  readonly onError?: (error: unknown, message: Message) => void
  readonly signal?: AbortSignal
}

export interface PullOptions {
  /** Default 100. */
  readonly max?: number
  /** For the first message. Default 0: what is there. */
  readonly waitMs?: number
  readonly leaseMs?: number
}

export interface PeekOptions {
  /** Default: of a topic 0; of a queue with priorities all levels, the highest first. */
  readonly partition?: number
  /** Default `earliest`. */
  readonly from?: StartPosition
  /** Default 10. */
  readonly max?: number
  /** Selector: only messages that it matches. */
  readonly filter?: string
  /** Looks for so long at most. Default: until there are `max`, or no more. */
  readonly waitMs?: number
  /** Ends it early, with what was found until then. */
  readonly signal?: AbortSignal
}

export interface Peeked<M> extends ReadonlyArray<M> {
  /** There may be more: `from` of the next page. Undefined when everything was looked at, or several levels of priority were. */
  readonly next: StartPosition | undefined
}

export interface ReadOptions {
  readonly partition?: number
  /** Default `latest`. */
  readonly from?: StartPosition
  /** Selector: only messages that it matches. */
  readonly filter?: string
  /** End at what was committed when the reader got there, instead of following. */
  readonly untilEnd?: boolean
  readonly signal?: AbortSignal
}

export interface StoredMessage {
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  /** The body's bytes; null for a tombstone. */
  readonly value: Uint8Array | null
  readonly headers: Readonly<Record<string, Uint8Array | null>>
  /** That of its header `priority`; 0 without one. */
  readonly priority: number
  /** The body as text (UTF-8). */
  text(): string
  /** The body parsed as JSON. @throws SyntaxError */
  json(): unknown
}

export interface Message extends StoredMessage {
  /** 1 on the first delivery. */
  readonly attempt: number
  /** Resolves when the broker has it durably; rejects with `stale_delivery` when somebody else has the message by now. Need not be awaited: errors then go to the consumption's `onError`. */
  ack(): Promise<void>
  nack(options?: { readonly delayMs?: number; readonly error?: string }): Promise<void>
  /** Not now: it comes back in its place after `delayMs` (0 by default), and this was no attempt, so it never dies of it. */
  defer(options?: { readonly delayMs?: number }): Promise<void>
  /** To the dead letters, now. */
  reject(reason?: string): Promise<void>
  /** Restarts the lease. */
  extend(): Promise<void>
  /**
   * Answers whoever asked with `request`. Does not settle the message.
   * @throws MillraceError `bad_request` when it asks for no answer, `not_found` when whoever asked is gone: delivering the message again does not help
   */
  reply(body: Body, options?: PublishOptions): Promise<Receipt>
}

export interface Consumption extends AsyncDisposable {
  /** Stops taking messages, waits for running handlers and their acks. A handler may call it, but not wait for it: that waits for the handler. */
  stop(): Promise<void>
  /** Resolves when stopped; rejects when the broker ended the consumer for good (deleted, forbidden). */
  readonly done: Promise<void>
}

export interface PublisherOptions {
  /**
   * Messages that may be unconfirmed at once: 1 is stop-and-wait, more is a sliding window. Default 65,536. `send` returns
   * false, and `ready()` waits, while the window is full.
   */
  readonly window?: number
  /** The same bound in bytes of messages. Default 32 MiB. */
  readonly windowBytes?: number
  /** A batch is sent when it has so many bytes... (default 65,536) */
  readonly batchBytes?: number
  /** ...or is so old. Default 0: at the end of the current turn of the event loop. */
  readonly lingerMs?: number
  /** Default true: a queue or topic that does not exist is created. False: what is published to one that does not exist fails with `not_found`. */
  readonly create?: boolean
  /**
   * Each message is stored once, also when a connection is lost and what was unconfirmed is sent again. With `producer`, whoever opens a
   * publisher with the same name for the same destination takes over: this one then fails with `fenced`. Default false.
   */
  readonly idempotent?: boolean | { readonly producer: string }
  /** Called for each batch of messages that were confirmed, in order, with how many. */
  readonly onConfirm?: (messages: number) => void
  /** Called for messages that were refused, or whose fate is unknown after `error.code === 'outcome_unknown'`. */
  readonly onError?: (error: Error, messages: number) => void
}

export interface Publisher extends AsyncDisposable {
  /** Queues a message. Returns false when the window is full now: wait for `ready()` before the next. @throws when called although it is full */
  send(body: Body, options?: Omit<PublishOptions, 'signal'>): boolean
  /** Resolves when the window has room. */
  ready(): Promise<void>
  /** Awaited publish through the same window. */
  publish(body: Body, options?: PublishOptions): Promise<Receipt>
  /** Sends what is gathered and resolves when all is confirmed; rejects with the first error since the last flush. */
  flush(): Promise<void>
  readonly unconfirmed: number
  close(): Promise<void>
}

/** Definitions; JSON shapes are those of the HTTP API. */
export interface Admin extends UserAdmin, QuotaAdmin, ExchangeAdmin {
  createTopic(spec: TopicSpec): Promise<void>
  updateTopic(name: string, change: Omit<Partial<TopicSpec>, 'name'>): Promise<void>
  deleteTopic(name: string): Promise<void>
  topic(name: string): Promise<TopicInfo>
  topics(): Promise<readonly TopicInfo[]>
  createQueue(spec: QueueSpec): Promise<void>
  updateQueue(name: string, change: Omit<Partial<QueueSpec>, 'name'>): Promise<void>
  deleteQueue(name: string): Promise<void>
  queue(name: string): Promise<QueueInfo>
  queues(): Promise<readonly QueueInfo[]>
  createSubscription(spec: SubscriptionSpec): Promise<void>
  updateSubscription(
    topic: string,
    name: string,
    change: Omit<Partial<SubscriptionSpec>, 'topic' | 'name' | 'from'>,
  ): Promise<void>
  deleteSubscription(topic: string, name: string): Promise<void>
  subscription(topic: string, name: string): Promise<SubscriptionInfo>
  subscriptions(topic?: string): Promise<readonly SubscriptionInfo[]>
  /** Drops all messages of a queue that no consumer holds. @returns how many those were */
  purgeQueue(name: string): Promise<number>
  /**
   * Moves messages of a queue back to where they died, or elsewhere: each in one commit, so that none is lost or in both places.
   * Resolves when that has ended; `state` tells how.
   */
  redrive(queue: string, options?: RedriveOptions): Promise<RedriveInfo>
  /** Redrives that are under way, and the last that have ended. */
  redrives(): Promise<readonly RedriveInfo[]>
  /** Consumer groups: members that share the partitions of topics, and how far they are. */
  groups(): Promise<readonly GroupSummary[]>
  group(name: string): Promise<GroupInfo>
  /** Only without members. */
  deleteGroup(name: string): Promise<void>
  /** Moves a group without members to another place of a topic. @returns where it is in that topic now */
  resetGroup(name: string, reset: GroupReset): Promise<readonly GroupPartition[]>
  /** Transactional producers of doors whose transactions stay open over many requests, as Kafka's do. */
  producerTransactions(): Promise<readonly ProducerTransactionSummary[]>
  producerTransaction(transactionalId: string): Promise<ProducerTransactionInfo>
  /** Its producer is told. @returns whether there was an open one */
  abortProducerTransaction(transactionalId: string): Promise<boolean>
  status(): Promise<BrokerStatus>
}

export interface TopicSpec {
  readonly name: string
  readonly partitions?: number
  readonly retention?: { readonly ms?: number; readonly bytes?: number; readonly records?: number }
  /** `compact,delete` keeps the last record of every key, until `retention` drops it. */
  readonly cleanup?: 'delete' | 'compact' | 'compact,delete'
  /** Largest record batch, and so the largest message. 0, like the default: that of the broker, which is the most. */
  readonly batchBytesMax?: number
  readonly dedup?: DedupPolicy
  /** What applications keep with it: any JSON, at most 16 KiB. An update with `{}` takes them away. */
  readonly labels?: Labels
}

export type Labels = Readonly<Record<string, unknown>>

/** Messages with the same `message-id` header count as published once. */
export interface DedupPolicy {
  /** For how long after the first one. 0: dedup is off. */
  readonly windowMs: number
  /** Ids that are remembered at most; beyond, the oldest are forgotten early. Default 1,000,000. */
  readonly entriesMax?: number
}

export interface DeliveryPolicy {
  readonly leaseMs?: number
  readonly maxAttempts?: number
  /** `queue:NAME`, `topic:NAME` or `exchange:NAME[/KEY]`. */
  readonly deadLetter?: string
  /** `headers`: a dead letter of a subscription has headers that tell of the death, and nothing of the message. Default `copy`. */
  readonly deadLetterContent?: 'copy' | 'headers'
  /** More headers of dead letters, by name, and what they tell. */
  readonly deadLetterHeaders?: Readonly<
    Record<string, 'origin' | 'subscription' | 'partition' | 'offset' | 'attempts' | 'reason'>
  >
  /** How long a message waits that was nacked without a delay, or whose lease ran out. */
  readonly backoff?: Backoff
  /**
   * `key`: of the messages with one key one at a time is with a consumer, in order, also when they come back; other keys go on.
   * `strict`: one consumer at a time, and nothing overtakes a message that waits. Cannot be changed. Default `none`.
   */
  readonly order?: 'none' | 'key' | 'strict'
  /** `single`: one consumer gets everything, the others take over when it leaves. Default `shared`. */
  readonly consumers?: 'shared' | 'single'
  /** Messages per second that are handed out at most, evenly. */
  readonly ratePerSecond?: number
  /** Nothing is handed out. */
  readonly paused?: boolean
  /** Selector: only messages that it matches are delivered. For subscriptions. Cannot be changed. */
  readonly filter?: string
  /** A message whose timestamp is so long ago is not delivered any more: it goes to the dead letters as `expired`, or is dropped. */
  readonly ttlMs?: number
}

/** How much a queue may hold, about. */
export interface QueueLimits {
  /** Messages that are not settled. */
  readonly messages?: number
  /** Bytes that they take on disk. */
  readonly bytes?: number
  /** What is too much is refused with `queue_full` (default; `reject-dead-letter`: and goes to the dead letters), or the oldest are dropped, or go to the dead letters. */
  readonly overflow?: 'reject' | 'drop-head' | 'dead-letter' | 'reject-dead-letter'
}

export interface QueueSpec {
  readonly name: string
  /**
   * How many levels of priority it has, 1 to 256. With more than one, consumers get messages with a higher `priority` first; what is
   * above the highest level counts as that. Can only grow. Default 1.
   */
  readonly priorities?: number
  readonly delivery?: DeliveryPolicy
  /** The queue is deleted when nobody has consumed from it or created it again for so long. Default, and 0: never. */
  readonly expireMs?: number
  /** Default: none. An update with `{}` takes them away. */
  readonly limits?: QueueLimits
  readonly dedup?: DedupPolicy
  /** false: it is deleted with its messages when the broker starts again. Default true. */
  readonly durable?: boolean
  /** It is deleted with its messages when its last consumer leaves; not before it had one. Default false. */
  readonly autoDelete?: boolean
  /** What applications keep with it: any JSON, at most 16 KiB. An update with `{}` takes them away. */
  readonly labels?: Labels
}

export interface SubscriptionSpec {
  readonly topic: string
  readonly name: string
  readonly from?: StartPosition
  readonly delivery?: DeliveryPolicy
}

export interface TopicInfo {
  readonly name: string
  readonly partitions: number
  readonly retention: { readonly ms?: number; readonly bytes?: number; readonly records?: number }
  readonly cleanup: 'delete' | 'compact' | 'compact,delete'
  /** Absent where it is that of the broker. */
  readonly batchBytesMax?: number
  readonly partitionInfo: readonly { readonly start: number; readonly end: number; readonly bytes: number }[]
  readonly subscriptions: readonly string[]
  /** Messages that wait for their time to be published into it. */
  readonly scheduled: number
  readonly dedup?: DedupPolicy
  readonly labels?: Labels
}

export interface DeliveryInfo {
  readonly delivery: DeliveryPolicy
  readonly ready: number
  readonly inFlight: number
  readonly bytes: number
  readonly consumers: number
  readonly oldestTimestampMs?: number
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

export interface QueueInfo extends DeliveryInfo {
  readonly name: string
  /** Absent without priorities. */
  readonly priorities?: number
  /** With priorities: the levels that were used, the highest first. */
  readonly levels?: readonly { readonly priority: number; readonly ready: number; readonly inFlight: number }[]
  /** Messages that wait for their time to be published into it. */
  readonly scheduled: number
  /** Milliseconds since something was published to it, delivered or settled, or since the broker started. */
  readonly idleMs: number
  readonly expireMs?: number
  readonly limits?: QueueLimits
  readonly dedup?: DedupPolicy
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly labels?: Labels
}

export interface SubscriptionInfo extends DeliveryInfo {
  readonly topic: string
  readonly name: string
}

export interface BrokerStatus {
  readonly version: string
  readonly pid: number
  readonly uptimeMs: number
  readonly engine: string
  readonly durability: string
  readonly listeners: Readonly<Record<string, string>>
}
