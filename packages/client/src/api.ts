import type { Declaration } from './typed/declarations.ts'

/**
 * What a user of the client sees. One API for a broker across TCP, across a WebSocket, and embedded in this process.
 * `connect.ts` gives a `Millrace` over the network; `millrace/embedded` gives the same without sockets.
 */
export interface Millrace extends AsyncDisposable {
  queue(name: string): Queue
  topic(name: string): Topic
  /** The typed queue or topic of a declaration: `client.use(orders).publish(...)`. */
  use<Handle>(declaration: Declaration<Handle>): Handle
  /** A publisher for many messages: batches them and keeps a bounded number unconfirmed. */
  publisher(destination: string, options?: PublisherOptions): Publisher
  readonly admin: Admin
  /** Waits until everything published is confirmed and everything settled is durable, then disconnects. */
  close(): Promise<void>
  /** 'connected', 'connecting' (publishes wait), 'closed'. */
  readonly state: ConnectionState
  on(event: 'state', listener: (state: ConnectionState, cause?: Error) => void): () => void
}

export type ConnectionState = 'connecting' | 'connected' | 'closed'

export interface ConnectOptions {
  /** Shown in the broker's lists and logs. */
  readonly clientId?: string
  readonly user?: string
  readonly password?: string
  /** TCP connections to spread publishers and consumers over. Default 1. */
  readonly connections?: number
  /** How long to try before giving up: a number of milliseconds, or `false` to try for ever. Applies to the first connect (default 10,000). */
  readonly connectTimeoutMs?: number | false
  /** Wait between attempts to reconnect: doubles from `min` to `max`, with jitter. Default 50 to 5,000. */
  readonly reconnectDelayMs?: { readonly min: number; readonly max: number }
  /** How long `close` waits for a connection that is lost while something is unconfirmed; then its outcome is unknown. Default 10,000. */
  readonly closeTimeoutMs?: number
  /**
   * A faster CRC-32C than the portable one: `crc32c` of `@node-rs/crc32`, for instance. It pays for those who publish more than
   * about 100 MB a second.
   */
  readonly crc32c?: (bytes: Uint8Array, previous?: number) => number
  /** Constructor for `ws:` and `wss:` URLs where the platform has no global WebSocket (Node 20). */
  readonly WebSocket?: unknown
  readonly signal?: AbortSignal
}

/** Strings are UTF-8; anything else that is not bytes is sent as JSON with content-type application/json. */
export type Body = Uint8Array | string | number | boolean | null | readonly unknown[] | { readonly [key: string]: unknown }

export interface PublishOptions {
  /** Decides the partition of a topic; with a key, order holds per key. */
  readonly key?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string | Uint8Array>>
  readonly timestampMs?: number
  readonly signal?: AbortSignal
}

export interface OutgoingMessage extends Omit<PublishOptions, 'signal'> {
  readonly body: Body
}

/** Where a confirmed message is. */
export interface Receipt {
  readonly partition: number
  readonly offset: number
}

export interface Queue {
  readonly name: string
  /** Resolves once the broker has it durably. @throws MillraceError */
  publish(body: Body, options?: PublishOptions): Promise<Receipt>
  /** All of them in as few batches as possible; resolves when all are confirmed. */
  publishBatch(messages: readonly OutgoingMessage[]): Promise<readonly Receipt[]>
  /** Handler style: return acks, throw nacks. Runs until `stop`. */
  consume(handler: Handler, options?: ConsumeOptions): Consumption
  /** Iterator style: each message is acked by `message.ack()`; leaving the loop gives back what is unacked. */
  messages(options?: ConsumeOptions): AsyncIterableIterator<Message>
  /** Takes at most `max` messages, waiting up to `waitMs` for the first. They must be settled. */
  pull(options?: PullOptions): Promise<readonly Message[]>
  /** Looks at messages without consuming them. */
  peek(options?: PeekOptions): Promise<readonly StoredMessage[]>
}

export interface Topic {
  readonly name: string
  publish(body: Body, options?: PublishOptions): Promise<Receipt>
  publishBatch(messages: readonly OutgoingMessage[]): Promise<readonly Receipt[]>
  /** Durable delivery state of that name: its consumers share the topic's messages like a queue's. Created on first use. */
  subscription(name: string, options?: { readonly from?: StartPosition }): Subscription
  /** Reads all partitions (or one) and follows the end, without delivery state. */
  read(options?: ReadOptions): AsyncIterableIterator<StoredMessage>
  peek(options?: PeekOptions): Promise<readonly StoredMessage[]>
}

export type Subscription = Pick<Queue, 'name' | 'consume' | 'messages' | 'pull'>

export type StartPosition = 'earliest' | 'latest' | { readonly offset: number } | { readonly timestampMs: number }

export type Handler = (message: Message) => unknown

export interface ConsumeOptions {
  /** Messages that may be held unacked at once. Default 256. */
  readonly prefetch?: number
  /** Handlers that run at the same time (handler style). Default 1: in order. */
  readonly concurrency?: number
  readonly leaseMs?: number
  /**
   * Handler style: wait before a message whose handler threw is delivered again, by attempt (1 for the first). Default: 100 ms,
   * doubling up to 30 s. Other messages go on meanwhile.
   */
  readonly retryDelayMs?: number | ((attempt: number) => number)
  /** Handler style: called when a handler throws (the error also goes into the nack) and when a settle failed. */
  readonly onError?: (error: unknown, message: Message) => void
  readonly signal?: AbortSignal
}

export interface PullOptions {
  readonly max?: number
  readonly waitMs?: number
  readonly leaseMs?: number
}

export interface PeekOptions {
  readonly partition?: number
  /** Default `earliest`. */
  readonly from?: StartPosition
  /** Default 10. */
  readonly max?: number
}

export interface ReadOptions {
  readonly partition?: number
  /** Default `latest`. */
  readonly from?: StartPosition
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
  /** To the dead letters, now. */
  reject(reason?: string): Promise<void>
  /** Restarts the lease. */
  extend(): Promise<void>
}

export interface Consumption extends AsyncDisposable {
  /** Stops taking messages, waits for running handlers and their acks. */
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
export interface Admin {
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
  status(): Promise<BrokerStatus>
}

export interface TopicSpec {
  readonly name: string
  readonly partitions?: number
  readonly retention?: { readonly ms?: number; readonly bytes?: number; readonly records?: number }
  readonly cleanup?: 'delete' | 'compact'
}

export interface DeliveryPolicy {
  readonly leaseMs?: number
  readonly maxAttempts?: number
  readonly deadLetter?: string
}

export interface QueueSpec {
  readonly name: string
  readonly delivery?: DeliveryPolicy
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
  readonly cleanup: 'delete' | 'compact'
  readonly partitionInfo: readonly { readonly start: number; readonly end: number; readonly bytes: number }[]
  readonly subscriptions: readonly string[]
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
  }
}

export interface QueueInfo extends DeliveryInfo {
  readonly name: string
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
