import { destinationAddress, parseExchangeAddress } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { LogStore, Ticket } from '../storage/log-store.ts'
import type {
  Broker,
  BrokerLimits,
  BrokerStats,
  ConsumeOptions,
  Consumer,
  DeliverySink,
  Destination,
  KeyCheck,
  ProducerIdentity,
  Published,
  Purge,
  QueueInfo,
  QueueSpec,
  ReadOptions,
  Reader,
  ScheduleId,
  StartPosition,
  SubscriptionGroups,
  RedriveInfo,
  RedriveSpec,
  SubscriptionChange,
  SubscriptionInfo,
  SubscriptionSpec,
  TopicInfo,
  TopicSpec,
  TransactionAction,
} from './broker.ts'
import type { CommittedWaiters } from './committed-waiters.ts'
import { checkConsumerPriority, checkLease } from './delivery-policy.ts'
import type { DeliveryGroup } from './delivery/delivery-group.ts'
import { QueueEnd } from './delivery/queue-end.ts'
import type { Queue, Subscription, Topic } from './entities.ts'
import type { GroupCoordinator } from './groups/group-coordinator.ts'
import type { LogTail } from './log-tail.ts'
import { parseAddress, parseDestination } from './names.ts'
import { OldestTimestamps } from './oldest-timestamp.ts'
import { PartitionReader, type ReaderCredit, type ReaderSource } from './partition-reader.ts'
import { LevelsReader } from './priorities/levels-reader.ts'
import type { TransactionCoordinator } from './producer-transactions/transaction-coordinator.ts'
import { queueInfo } from './queue-info.ts'
import type { CoreQuotas } from './quotas/core-quotas.ts'
import type { StoredDocuments } from './documents/stored-documents.ts'
import { Redrives } from './redrive/redrives.ts'
import type { Registry } from './registry.ts'
import type { CoreRouter } from './router/core-router.ts'
import type { Selector } from './selectors/selector.ts'
import type { Shard } from './shard.ts'
import type { CoreShortages } from './shortages.ts'
import { transact } from './transactions/transactions.ts'
import { checkStartPosition } from './start-position.ts'
import type { PartitionProducer, StoredPartition, StoredTopic } from './stored-topic.ts'
import { StoredTopics } from './topics/stored-topics.ts'

export class CoreBroker implements Broker {
  readonly id: string
  readonly limits: BrokerLimits
  readonly groups: GroupCoordinator
  readonly subscriptionGroups: SubscriptionGroups
  readonly producerTransactions: TransactionCoordinator
  readonly quotas: CoreQuotas
  readonly documents: StoredDocuments
  readonly router: CoreRouter
  readonly shortages: CoreShortages
  readonly #shard: Shard
  readonly #store: LogStore
  readonly #registry: Registry
  readonly #waiters: CommittedWaiters
  readonly #oldest: OldestTimestamps
  readonly #redrives: Redrives
  readonly #storedTopics: StoredTopics
  readonly #readers = new Set<PartitionReader>()
  readonly #background: readonly { stop(): void }[]
  #closing: Promise<void> | undefined

  /** @param background what is stopped first when the broker closes */
  constructor(
    shard: Shard,
    registry: Registry,
    groups: GroupCoordinator,
    subscriptionGroups: SubscriptionGroups,
    producerTransactions: TransactionCoordinator,
    quotas: CoreQuotas,
    documents: StoredDocuments,
    waiters: CommittedWaiters,
    background: readonly { stop(): void }[],
  ) {
    this.id = shard.id
    this.limits = shard.limits
    this.groups = groups
    this.subscriptionGroups = subscriptionGroups
    this.producerTransactions = producerTransactions
    this.quotas = quotas
    this.documents = documents
    this.router = registry.router
    this.shortages = shard.shortages
    this.#shard = shard
    this.#store = shard.store
    this.#registry = registry
    this.#waiters = waiters
    this.#background = background
    this.#oldest = new OldestTimestamps(shard.store)
    this.#redrives = new Redrives(shard, registry, waiters)
    this.#storedTopics = new StoredTopics(shard, registry.topics)
    shard.store.onFailed((error) => this.#failed(error))
    shard.store.onRelief(() => {
      registry.deadLetters.relieved()
      this.#redrives.relieved()
    })
  }

  // ---- definitions --------------------------------------------------------------------------------------------------

  createTopic(spec: TopicSpec): Ticket {
    this.#registry.createTopic(spec)
    return this.#changed()
  }

  createQueue(spec: QueueSpec): Ticket {
    this.#registry.createQueue(spec)
    return this.#changed()
  }

  createSubscription(spec: SubscriptionSpec): Ticket {
    this.#registry.createSubscription(spec)
    return this.#changed()
  }

  updateTopic(name: string, change: Partial<Omit<TopicSpec, 'name'>>): Ticket {
    this.#registry.updateTopic(name, change)
    return this.#changed()
  }

  updateQueue(name: string, change: Partial<Omit<QueueSpec, 'name'>>): Ticket {
    this.#registry.updateQueue(name, change)
    return this.#changed()
  }

  updateSubscription(topic: string, name: string, change: SubscriptionChange): Ticket {
    this.#registry.updateSubscription(topic, name, change)
    return this.#changed()
  }

  deleteTopic(name: string): Ticket {
    this.#registry.deleteTopic(name)
    return this.#changed()
  }

  deleteQueue(name: string): Ticket {
    this.#registry.deleteQueue(name)
    return this.#changed()
  }

  deleteSubscription(topic: string, name: string): Ticket {
    this.#registry.deleteSubscription(topic, name)
    return this.#changed()
  }

  onDeleted(listener: (address: string) => void): () => void {
    return this.#shard.deletions.listen(listener)
  }

  topic(name: string): TopicInfo {
    return this.#topicInfo(this.#registry.topic(name))
  }

  queue(name: string): QueueInfo {
    return queueInfo(this.#shard, this.#oldest, this.#registry.queue(name))
  }

  subscription(topic: string, name: string): SubscriptionInfo {
    return this.#subscriptionInfo(this.#registry.subscription(topic, name))
  }

  topics(): readonly TopicInfo[] {
    return [...this.#registry.topics.values()].map((topic) => this.#topicInfo(topic))
  }

  queues(): readonly QueueInfo[] {
    return [...this.#registry.queues.values()].map((queue) => queueInfo(this.#shard, this.#oldest, queue))
  }

  subscriptions(topic?: string): readonly SubscriptionInfo[] {
    const topics = topic === undefined ? [...this.#registry.topics.values()] : [this.#registry.topic(topic)]
    return topics.flatMap((each) => [...each.subscriptions.values()].map((subscription) => this.#subscriptionInfo(subscription)))
  }

  // ---- publish and consume ------------------------------------------------------------------------------------------

  destination(destination: string, create: boolean, checkKey?: KeyCheck): Destination {
    const exchange = parseExchangeAddress(destination)
    if (exchange !== undefined) {
      this.#checkOpen()
      return this.router.target(exchange.name, exchange.key, checkKey)
    }
    const { kind, name } = parseDestination(destination)
    this.#checkOpen()
    return kind === 'queue'
      ? this.#registry.queueOrCreate(name, create).target
      : this.#registry.topicOrCreate(name, create).target
  }

  transact(actions: readonly TransactionAction[]): readonly (readonly Published[])[] {
    this.#checkOpen()
    return transact(this.#shard, this.groups, actions)
  }

  openProducer(name?: string, current?: ProducerIdentity): ProducerIdentity {
    this.#checkOpen()
    return this.#shard.producers.open(name, current)
  }

  cancelScheduled(id: ScheduleId): boolean {
    this.#checkOpen()
    return this.#shard.schedule.cancel(id)
  }

  scheduled(id: ScheduleId): string | undefined {
    return this.#shard.schedule.targetOf(id)?.address
  }

  consume(source: string, options: ConsumeOptions, sink: DeliverySink): Consumer {
    const { kind, name, subscription } = parseAddress(source)
    this.#checkOpen()
    const leaseMs = options.leaseMs === undefined ? undefined : checkLease(options.leaseMs)
    const { exclusive, polls } = options
    const priority = options.priority === undefined ? undefined : checkConsumerPriority(options.priority)
    return this.#group(kind, name, subscription, options).join(sink, { leaseMs, priority, exclusive, polls })
  }

  read(source: string, options: ReadOptions, sink: DeliverySink): Reader {
    const { kind, name } = parseDestination(source)
    this.#checkOpen()
    const { from, partition, filter } = options
    checkStartPosition(from)
    const selector = filter === undefined ? undefined : this.#shard.selectors.compile(filter)
    const isPlace = typeof from === 'object' && 'offset' in from
    const levels = partition === undefined && kind === 'queue' && !isPlace ? this.partitions(source) : []
    if (levels.length < 2) return this.#openReader(this.#readerSource(kind, name, partition ?? 0, selector), from, sink)
    return new LevelsReader(levels, sink, (level, before, part, credit) =>
      this.#openReader({ ...this.#readerSource(kind, name, level, selector), before }, from, part, credit),
    )
  }

  partitions(source: string): readonly number[] {
    const { kind, name } = parseDestination(source)
    if (kind === 'topic') return this.#registry.topic(name).tails.map((_, partition) => partition)
    return this.#registry
      .queue(name)
      .group.cursors.map(({ partition }) => partition)
      .toReversed()
  }

  // ---- topics as they are stored ------------------------------------------------------------------------------------

  storedTopic(name: string): StoredTopic {
    return this.#storedTopics.of(this.#registry.topic(name))
  }

  storedTopicById(id: string): StoredTopic | undefined {
    return this.#storedTopics.byId(id)
  }

  storedTopics(): readonly StoredTopic[] {
    return this.#storedTopics.all()
  }

  producersOf(partitions: readonly StoredPartition[]): readonly (readonly PartitionProducer[])[] {
    return this.#storedTopics.producersOf(partitions)
  }

  // ---- dead letters -------------------------------------------------------------------------------------------------

  redrive(spec: RedriveSpec): RedriveInfo {
    this.#checkOpen()
    return this.#redrives.start(spec)
  }

  redrives(): readonly RedriveInfo[] {
    return this.#redrives.list()
  }

  redriveInfo(id: number): RedriveInfo {
    return this.#redrives.info(id)
  }

  whenRedriven(id: number): Promise<RedriveInfo> {
    return this.#redrives.whenEnded(id)
  }

  cancelRedrive(id: number): boolean {
    return this.#redrives.cancel(id)
  }

  useQueue(name: string): void {
    this.#registry.queueExpiry.used(this.#registry.queue(name))
  }

  endOfQueue(name: string): QueueEnd {
    return new QueueEnd(this.#registry.queue(name).group)
  }

  purgeQueue(name: string, end?: QueueEnd): Purge {
    this.#checkOpen()
    let messages = 0
    for (const cursor of this.#registry.queue(name).group.cursors) {
      messages += cursor.purge(end === undefined ? Infinity : end.offsetIn(cursor))
    }
    return { messages, ticket: this.#changed() }
  }

  // ---- durability and overload --------------------------------------------------------------------------------------

  ticket(): Ticket {
    // Who asks for it waits for it, and a commit with nothing in it would never come.
    this.#store.touch()
    return this.#store.ticket()
  }

  get committedTicket(): Ticket {
    return this.#store.committedTicket
  }

  get visibleTicket(): Ticket {
    return this.#store.visibleTicket
  }

  onCommitted(listener: (ticket: Ticket) => void): () => void {
    return this.#store.onCommitted(listener)
  }

  whenCommitted(ticket: Ticket): Promise<void> {
    return this.#waiters.wait(ticket)
  }

  get congested(): boolean {
    return this.#store.pendingBytes > this.#store.limits.pendingBytesHigh
  }

  onRelief(listener: () => void): () => void {
    return this.shortages.onRelief(listener)
  }

  stats(): BrokerStats {
    const { totals } = this.#shard
    return {
      topics: this.#registry.topics.size,
      queues: this.#registry.queues.size,
      consumers: totals.consumers,
      publishedMessages: totals.published,
      publishedBytes: totals.publishedBytes,
      deliveredMessages: totals.delivered,
      ackedMessages: totals.acked,
      redeliveredMessages: totals.redelivered,
      deadLetteredMessages: totals.deadLettered,
      droppedMessages: totals.dropped,
      scheduledMessages: this.#shard.schedule.pending(),
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  // ---- inside -------------------------------------------------------------------------------------------------------

  async #close(): Promise<void> {
    const reason = this.#shard.refusal ?? new MillraceError('draining', 'the broker is shutting down: connect again later')
    this.#shard.refusal = reason
    for (const each of this.#background) each.stop()
    this.#redrives.stop()
    this.#dismiss(reason)
    this.#shard.timers.stop()
    // Nothing may be appended any more whose state would come in a later commit: that one will not be written.
    this.#shard.dispatcher.stop()
    for (const group of this.#registry.groups()) for (const cursor of group.cursors) cursor.forgetAhead()
    this.#store.touch()
    try {
      await this.#waiters.wait(this.#store.ticket())
    } finally {
      this.#shard.cycle.stop()
      this.#waiters.stop()
    }
  }

  #failed(error: Error): void {
    const reason = this.#waiters.fail(error)
    this.#shard.refusal = reason
    for (const each of this.#background) each.stop()
    this.#redrives.stop()
    this.#shard.dispatcher.stop()
    this.#shard.timers.stop()
    this.#dismiss(reason)
  }

  #dismiss(reason: MillraceError): void {
    for (const group of this.#registry.groups()) group.dismiss(reason)
    this.groups.stop()
    this.producerTransactions.stop(reason)
    for (const reader of this.#readers) reader.gone(reason)
  }

  #changed(): Ticket {
    this.#store.touch()
    return this.#store.ticket()
  }

  #checkOpen(): void {
    if (this.#shard.refusal !== undefined) throw this.#shard.refusal
  }

  #group(kind: 'queue' | 'topic', name: string, subscription: string | undefined, options: ConsumeOptions): DeliveryGroup {
    const create = options.create === true
    if (kind === 'queue') {
      const queue = this.#registry.queueOrCreate(name, create)
      this.#registry.queueExpiry.used(queue)
      return queue.group
    }
    if (subscription === undefined) {
      throw new MillraceError(
        'bad_request',
        `topic:${name} is consumed through a subscription: write topic:${name}/SUBSCRIPTION, or read it`,
      )
    }
    return this.#registry.subscriptionOrCreate(name, subscription, create, options.from).group
  }

  #openReader(source: ReaderSource, from: StartPosition, sink: DeliverySink, credit?: ReaderCredit): PartitionReader {
    const reader = new PartitionReader(this.#shard, source, from, sink, (closed) => this.#readers.delete(closed), credit)
    this.#readers.add(reader)
    return reader
  }

  #readerSource(kind: 'queue' | 'topic', name: string, partition: number, selector: Selector | undefined): ReaderSource {
    const address = destinationAddress(kind, name)
    const queue = kind === 'queue' ? this.#registry.queue(name) : undefined
    const tails = queue === undefined ? this.#registry.topic(name).tails : this.#levelTails(queue, partition)
    const count = queue?.levels.count ?? tails.length
    const tail = tails[partition]
    if (tail === undefined)
      throw new MillraceError('bad_request', `${address} has the partitions 0..${count - 1}, not ${partition}`)
    return { address, partition, tail, cursor: queue?.group.cursor(partition), selector }
  }

  /** Whoever asks for a level that has no message yet waits for the first one. */
  #levelTails({ levels }: Queue, level: number): readonly (LogTail | undefined)[] {
    if (levels.tails[level] === undefined && Number.isInteger(level) && level > 0 && level < levels.count) {
      this.#store.reserve(levels.newLevelsBytes(1))
      levels.at(level)
    }
    return levels.tails
  }

  #topicInfo(topic: Topic): TopicInfo {
    return {
      name: topic.name,
      partitions: topic.tails.length,
      retention: topic.retention,
      cleanup: topic.cleanup,
      ...(topic.target.batchBytesMax === undefined ? {} : { batchBytesMax: topic.target.batchBytesMax }),
      ...(topic.target.ids === undefined ? {} : { dedup: topic.target.ids.settings }),
      ...(topic.labels === undefined ? {} : { labels: topic.labels }),
      scheduled: this.#shard.schedule.pending(topic.target),
      partitionInfo: topic.tails.map((tail) => this.#store.bounds(tail.id)),
      subscriptions: [...topic.subscriptions.keys()],
    }
  }

  #subscriptionInfo(subscription: Subscription): SubscriptionInfo {
    return {
      topic: subscription.topic.name,
      name: subscription.name,
      ...subscription.group.info(),
      oldestTimestampMs: this.#oldest.of(subscription.group),
    }
  }
}
