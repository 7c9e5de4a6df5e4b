/** All topics, queues and subscriptions by name: creates, changes, deletes and restores them. */
import { parseExchangeAddress, topicAddress } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import { KIB } from '../base/units.ts'
import type { DeliveryPolicy, QueueSpec, StartPosition, SubscriptionChange, SubscriptionSpec, TopicSpec } from './broker.ts'
import {
  DefinitionCell,
  type QueueDefinition,
  type SubscriptionDefinition,
  type TopicDefinition,
  checkBatchBytes,
  checkCleanup,
  checkExpiry,
  checkPartitions,
  checkRetention,
  isCompacted,
  same,
} from './definitions.ts'
import { checkDelivery, checkPolicyChange } from './delivery-policy.ts'
import { Cursor } from './delivery/cursor.ts'
import { checkDedup } from './dedup/dedup-settings.ts'
import type { MessageIds } from './dedup/message-ids.ts'
import { DeadLetters } from './delivery/dead-letter.ts'
import { letterBoxAt } from './delivery/letter-box-at.ts'
import { DeliveryGroup } from './delivery/delivery-group.ts'
import { type CheckedLimits, QueueLimit, checkLimits } from './delivery/queue-limit.ts'
import { type DeliveryState, newDeliveryState } from './delivery/delivery-state.ts'
import type { Queue, Restored, Subscription, Topic } from './entities.ts'
import { alreadyExists, notFound } from './definition-errors.ts'
import { LogTail } from './log-tail.ts'
import { checkLabels, LABELS_BYTES_MAX } from './labels.ts'
import { checkName, parseDestination } from './names.ts'
import { checkGrowth, QueueLevels, usePriorities } from './priorities/queue-levels.ts'
import { PublishTarget } from './publish-target.ts'
import { CoreRouter } from './router/core-router.ts'
import { QueueExpiry } from './queue-expiry.ts'
import { checkQueue, checkSwitch, isSameQueue, newQueueDefinition, queueDefinition } from './queue-settings.ts'
import type { Shard } from './shard.ts'
import { topicDefinition } from './topics/topic-definition.ts'
import { checkTopic, isSameTopic } from './topics/topic-settings.ts'
import { checkStartPosition, seekTimestamp, startState } from './start-position.ts'
import type { StateCell } from './state/state-log.ts'

/** What creating or deleting one log adds to a commit, at most, beside its definition. */
const LOG_CHANGE_BYTES = 64

/** What may be created on first use. */
export interface AutoCreate {
  readonly queues: boolean
  readonly topics: boolean
  readonly subscriptions: boolean
  /** Of a topic that is created so. */
  readonly partitions: number
}

export class Registry {
  readonly topics: Map<string, Topic> = new Map()
  readonly queues: Map<string, Queue> = new Map()
  readonly deadLetters: DeadLetters
  readonly queueExpiry: QueueExpiry
  readonly router: CoreRouter
  readonly #topicsById = new Map<number, Topic>()
  readonly #shard: Shard
  readonly #autoCreate: AutoCreate
  #nextId = 1
  #subscriptionCount = 0

  constructor(shard: Shard, autoCreate: AutoCreate) {
    this.#shard = shard
    this.#autoCreate = autoCreate
    this.deadLetters = new DeadLetters(shard, (address) => letterBoxAt(this, address))
    this.router = new CoreRouter(shard, this, () => this.newId())
    this.queueExpiry = new QueueExpiry(shard, (queue) => this.#expire(queue))
  }

  // ---- look up ------------------------------------------------------------------------------------------------------

  topic(name: string): Topic {
    const topic = this.topics.get(name)
    if (topic === undefined) throw notFound('topic', name, `millrace topic create ${name}`)
    return topic
  }

  topicById(id: number): Topic | undefined {
    return this.#topicsById.get(id)
  }

  queue(name: string): Queue {
    const queue = this.queues.get(name)
    if (queue === undefined) throw notFound('queue', name, `millrace queue create ${name}`)
    return queue
  }

  subscription(topic: string, name: string): Subscription {
    const subscription = this.topic(topic).subscriptions.get(name)
    if (subscription !== undefined) return subscription
    throw new MillraceError('not_found', `topic:${topic} has no subscription ${JSON.stringify(name)}: create it first`)
  }

  /** The topic or queue of an address, if it exists. @throws `bad_request`, `illegal_name` */
  target(address: string): PublishTarget | undefined {
    const { kind, name } = parseDestination(address)
    return kind === 'queue' ? this.queues.get(name)?.target : this.topics.get(name)?.target
  }

  /** The topic or queue of an address; `create` makes it if that is allowed. @throws `not_found` */
  topicOrCreate(name: string, create: boolean): Topic {
    if (create && this.#autoCreate.topics && !this.topics.has(name))
      this.createTopic({ name, partitions: this.#autoCreate.partitions })
    return this.topic(name)
  }

  queueOrCreate(name: string, create: boolean): Queue {
    if (create && this.#autoCreate.queues && !this.queues.has(name)) this.createQueue({ name })
    return this.queue(name)
  }

  subscriptionOrCreate(topic: string, name: string, create: boolean, from: StartPosition | undefined): Subscription {
    const { subscriptions } = this.topicOrCreate(topic, create)
    if (create && this.#autoCreate.subscriptions && !subscriptions.has(name)) {
      this.createSubscription(from === undefined ? { topic, name } : { topic, name, from })
    }
    return this.subscription(topic, name)
  }

  // ---- topics -------------------------------------------------------------------------------------------------------

  createTopic(spec: TopicSpec): void {
    const checked = checkTopic(spec, this.#shard.limits)
    const { name, partitions, retention, cleanup } = checked
    const existing = this.topics.get(name)
    if (existing !== undefined) {
      if (isSameTopic(existing, checked)) return
      throw alreadyExists('topic', name)
    }
    this.#checkNew(this.topics.size, 'topics')
    this.#shard.store.reserve(partitions * LOG_CHANGE_BYTES + KIB)
    const topic = this.#makeTopic(this.#nextId++, { kind: 'topic', name, logs: [], retention, cleanup })
    for (let n = 0; n < partitions; n++) topic.tails.push(this.#newLog())
    topic.target.batchBytesMax = checked.batchBytesMax
    topic.target.changeDedup(checked.dedup)
    topic.labels = checked.labels
    this.#define(topic)
  }

  updateTopic(name: string, change: Partial<Omit<TopicSpec, 'name'>>): void {
    this.#checkOpen()
    const topic = this.topic(name)
    const retention = change.retention === undefined ? topic.retention : checkRetention(change.retention)
    const cleanup = change.cleanup === undefined ? topic.cleanup : checkCleanup(change.cleanup)
    const { batchBytesMax = topic.target.batchBytesMax } = change
    const checkedBatchBytes = checkBatchBytes(batchBytesMax, this.#shard.limits)
    const partitions =
      change.partitions === undefined ? topic.tails.length : checkPartitions(change.partitions, this.#shard.limits)
    const dedup = change.dedup === undefined ? topic.target.ids?.settings : checkDedup(change.dedup)
    const labels = change.labels === undefined ? topic.labels : checkLabels(change.labels)
    if (partitions < topic.tails.length) {
      throw new MillraceError('bad_request', `topic:${name} has ${topic.tails.length} partitions; their number can only grow`)
    }
    this.#shard.store.reserve((partitions - topic.tails.length) * LOG_CHANGE_BYTES + KIB)
    while (topic.tails.length < partitions) {
      const tail = this.#newLog()
      topic.tails.push(tail)
      for (const subscription of topic.subscriptions.values()) this.#addCursor(subscription, tail, newDeliveryState())
    }
    topic.retention = retention
    topic.cleanup = cleanup
    topic.target.keyed = isCompacted(cleanup)
    topic.target.batchBytesMax = checkedBatchBytes
    topic.target.changeDedup(dedup)
    topic.labels = labels
    this.#define(topic)
  }

  deleteTopic(name: string): void {
    this.#checkOpen()
    const topic = this.topic(name)
    this.#shard.store.reserve(topic.tails.length * LOG_CHANGE_BYTES + topic.subscriptions.size * LOG_CHANGE_BYTES)
    for (const subscription of topic.subscriptions.values()) this.#dropSubscription(subscription, `topic:${name} was deleted`)
    this.topics.delete(name)
    this.#topicsById.delete(topic.id)
    this.#shard.offsets.topicDeleted(topic.id, topic.tails.length)
    this.#dropLogs(topic.target, topic.tails)
    this.#shard.stateLog.remove(topic.id, [topic.cell])
    this.#shard.deletions.tell(topicAddress(name))
  }

  // ---- queues -------------------------------------------------------------------------------------------------------

  createQueue(spec: QueueSpec): void {
    const checked = checkQueue(spec)
    const existing = this.queues.get(spec.name)
    if (existing !== undefined) {
      if (!isSameQueue(existing, checked)) throw alreadyExists('queue', spec.name)
      this.queueExpiry.used(existing)
      return
    }
    this.#checkNew(this.queues.size, 'queues')
    this.checkDeadLetter(checked.delivery)
    this.#shard.store.reserve(LOG_CHANGE_BYTES + KIB)
    const tail = this.#newLog()
    const queue = this.#makeQueue(this.#nextId++, newQueueDefinition(checked, tail.id), tail, new Map())
    queue.target.changeDedup(checked.dedup)
    this.#define(queue)
  }

  updateQueue(name: string, change: Partial<Omit<QueueSpec, 'name'>>): void {
    this.#checkOpen()
    const queue = this.queue(name)
    const expireMs = change.expireMs === undefined ? queue.expireMs : checkExpiry(change.expireMs)
    const dedup = change.dedup === undefined ? queue.target.ids?.settings : checkDedup(change.dedup)
    const limits = checkLimits(change.limits)
    const priorities = change.priorities === undefined ? queue.levels.count : checkGrowth(queue, change.priorities)
    const durable = checkSwitch('durable', change.durable ?? queue.durable)
    const autoDelete = checkSwitch('autoDelete', change.autoDelete ?? queue.autoDelete)
    const labels = change.labels === undefined ? queue.labels : checkLabels(change.labels)
    this.#updateDelivery(queue, change.delivery)
    usePriorities(queue, priorities)
    if (!queue.target.hasDedup(dedup)) queue.target.changeDedup(dedup)
    if (change.limits !== undefined) this.#limit(queue, limits)
    Object.assign(queue, { expireMs, durable, autoDelete, labels })
    this.#watchUse(queue)
    this.#define(queue)
  }

  deleteQueue(name: string): void {
    this.#checkOpen()
    const queue = this.queue(name)
    this.#shard.store.reserve(LOG_CHANGE_BYTES + KIB)
    this.queues.delete(name)
    this.queueExpiry.forget(queue)
    this.#dropGroup(queue.id, queue.cell, queue.group, `queue:${name} was deleted`)
    this.#dropLogs(queue.target, queue.levels.logs())
    this.#shard.deletions.tell(queue.group.address)
  }

  /** Those that a restart was to end. */
  deleteTransientQueues(): void {
    for (const { name, durable } of this.queues.values()) if (!durable) this.deleteQueue(name)
  }

  // ---- subscriptions ------------------------------------------------------------------------------------------------

  createSubscription(spec: SubscriptionSpec): void {
    checkName(spec.name, 'subscription')
    const topic = this.topic(spec.topic)
    const address = topicAddress(spec.topic, spec.name)
    const delivery = checkDelivery(spec.delivery, address)
    const from = spec.from ?? 'latest'
    checkStartPosition(from)
    const existing = topic.subscriptions.get(spec.name)
    if (existing !== undefined) {
      if (same(existing.group.policy, delivery)) return
      throw alreadyExists('subscription', address)
    }
    this.#checkNew(this.#subscriptionCount, 'subscriptions')
    this.checkDeadLetter(delivery)
    const definition: SubscriptionDefinition = { kind: 'subscription', topic: topic.id, name: spec.name, delivery }
    const subscription = this.#makeSubscription(this.#nextId++, definition, topic)
    this.#shard.stateLog.snapshot(subscription.cell)
    for (const tail of topic.tails) {
      const cursor = this.#addCursor(subscription, tail, startState(from, tail))
      this.#shard.stateLog.snapshot(cursor)
    }
  }

  updateSubscription(topic: string, name: string, change: SubscriptionChange): void {
    this.#checkOpen()
    this.#updateDelivery(this.subscription(topic, name), change.delivery)
  }

  deleteSubscription(topic: string, name: string): void {
    this.#checkOpen()
    this.#dropSubscription(this.subscription(topic, name), `${topicAddress(topic, name)} was deleted`)
  }

  // ---- restart ------------------------------------------------------------------------------------------------------

  /** Ids given from now on are higher. */
  reserveIds(highest: number): void {
    this.#nextId = Math.max(this.#nextId, highest + 1)
  }

  newId(): number {
    return this.#nextId++
  }

  restoreTopic(id: number, definition: TopicDefinition): StateCell {
    const topic = this.#makeTopic(id, definition)
    for (const log of definition.logs) {
      const tail = this.#openLog(log)
      tail.compaction = definition.compaction?.[topic.tails.length] ?? undefined
      topic.tails.push(tail)
    }
    return topic.cell
  }

  /** @param states by level; those that are missing were never touched */
  restoreQueue(id: number, definition: QueueDefinition, states: ReadonlyMap<number, DeliveryState>): Restored {
    const queue = this.#makeQueue(id, definition, this.#openLog(definition.log), states)
    return { cell: queue.cell, cursors: queue.group.cursors }
  }

  /** @param states by partition; those that are missing were never touched */
  restoreSubscription(
    id: number,
    definition: SubscriptionDefinition,
    topic: Topic,
    states: ReadonlyMap<number, DeliveryState>,
  ): Restored {
    const subscription = this.#makeSubscription(id, definition, topic)
    topic.tails.forEach((tail, partition) => this.#addCursor(subscription, tail, states.get(partition) ?? newDeliveryState()))
    return { cell: subscription.cell, cursors: subscription.group.cursors }
  }

  /** All windows of message ids. */
  *messageIds(): Iterable<MessageIds> {
    for (const { target } of [...this.queues.values(), ...this.topics.values()]) if (target.ids !== undefined) yield target.ids
  }

  /** Every group of consumers. */
  *groups(): Iterable<DeliveryGroup> {
    for (const queue of this.queues.values()) yield queue.group
    for (const topic of this.topics.values()) for (const subscription of topic.subscriptions.values()) yield subscription.group
  }

  // ---- inside -------------------------------------------------------------------------------------------------------

  #makeTopic(id: number, definition: TopicDefinition): Topic {
    const { name } = definition
    const tails: LogTail[] = []
    const topic: Topic = {
      id,
      name,
      tails,
      target: new PublishTarget(this.#shard, 'topic', name, tails, id),
      subscriptions: new Map(),
      retention: definition.retention,
      cleanup: definition.cleanup,
      labels: definition.labels,
      cell: new DefinitionCell(id, () => topicDefinition(topic)),
    }
    topic.target.keyed = isCompacted(topic.cleanup)
    topic.target.batchBytesMax = definition.batchBytesMax
    topic.target.restoreDedup(definition.dedup)
    this.topics.set(name, topic)
    this.#topicsById.set(id, topic)
    this.deadLetters.reconsider(topicAddress(name))
    this.router.targetMade()
    return topic
  }

  /** @param tail of level 0 */
  #makeQueue(id: number, definition: QueueDefinition, tail: LogTail, states: ReadonlyMap<number, DeliveryState>): Queue {
    const { name } = definition
    const group = new DeliveryGroup(this.#shard, `queue:${name}`, true, definition.delivery, this.deadLetters)
    const levels = new QueueLevels(this.#shard, id, group, () => this.#shard.stateLog.snapshot(queue.cell))
    levels.add(0, tail, states.get(0) ?? newDeliveryState())
    for (const [level, log] of definition.levels ?? [])
      levels.add(level, this.#openLog(log), states.get(level) ?? newDeliveryState())
    const queue: Queue = {
      id,
      name,
      levels,
      group,
      expireMs: definition.expireMs,
      durable: definition.durable ?? true,
      autoDelete: definition.autoDelete ?? false,
      labels: definition.labels,
      target: new PublishTarget(this.#shard, 'queue', name, levels.tails, id),
      cell: new DefinitionCell(id, () => queueDefinition(queue)),
    }
    usePriorities(queue, definition.priorities ?? 1)
    queue.target.restoreDedup(definition.dedup)
    this.#limit(queue, definition.limits)
    this.queues.set(name, queue)
    this.#watchUse(queue)
    this.deadLetters.reconsider(group.address)
    this.router.targetMade()
    return queue
  }

  #limit({ target, group }: Queue, limits: CheckedLimits | undefined): void {
    target.limit = limits === undefined ? undefined : new QueueLimit(this.#shard, group, limits)
  }

  #makeSubscription(id: number, definition: SubscriptionDefinition, topic: Topic): Subscription {
    const { name } = definition
    const group = new DeliveryGroup(this.#shard, topicAddress(topic.name, name), false, definition.delivery, this.deadLetters)
    const cell = new DefinitionCell(id, () => ({ kind: 'subscription', topic: topic.id, name, delivery: group.policy }))
    const subscription: Subscription = { id, topic, name, group, cell }
    topic.subscriptions.set(name, subscription)
    this.#subscriptionCount++
    return subscription
  }

  #addCursor(subscription: Subscription, tail: LogTail, state: DeliveryState): Cursor {
    const { group, id } = subscription
    const cursor = new Cursor(this.#shard, group, id, group.cursors.length, tail, state)
    group.cursors.push(cursor)
    const { seekTimestampMs } = state
    if (seekTimestampMs !== undefined) void seekTimestamp(this.#shard, cursor, seekTimestampMs)
    return cursor
  }

  #updateDelivery({ group, cell }: Queue | Subscription, change: DeliveryPolicy | undefined): void {
    if (change === undefined) return
    const delivery = checkDelivery(change, group.address)
    checkPolicyChange(group.policy, delivery, group.address)
    this.checkDeadLetter(delivery)
    group.changePolicy(delivery)
    this.deadLetters.reconsider(group.address)
    if (delivery.ttlMs !== undefined) for (const cursor of group.cursors) this.#shard.expiry.watch(cursor)
    this.#shard.stateLog.snapshot(cell)
  }

  #dropSubscription(subscription: Subscription, why: string): void {
    subscription.topic.subscriptions.delete(subscription.name)
    this.#subscriptionCount--
    this.#dropGroup(subscription.id, subscription.cell, subscription.group, why)
  }

  #dropGroup(id: number, cell: StateCell, group: DeliveryGroup, why: string): void {
    for (const cursor of group.cursors) cursor.close()
    group.dismiss(new MillraceError('not_found', why))
    this.#shard.stateLog.remove(id, [cell, ...group.cursors])
  }

  #dropLogs(target: PublishTarget, tails: readonly LogTail[]): void {
    target.deleted = true
    this.#shard.schedule.targetDeleted(target)
    this.router.targetDeleted(target)
    target.changeDedup(undefined)
    const reason = new MillraceError('not_found', `${target.kind}:${target.name} was deleted`)
    for (const tail of tails) {
      this.#shard.store.deleteLog(tail.id)
      tail.gone(reason)
    }
  }

  #watchUse(queue: Queue): void {
    queue.group.onUnused = queue.autoDelete ? (): void => this.#expire(queue) : undefined
    queue.group.onPolled = queue.expireMs === undefined ? undefined : (): void => this.queueExpiry.used(queue)
    this.queueExpiry.watch(queue)
  }

  #expire(queue: Queue): void {
    this.deleteQueue(queue.name)
    this.#shard.store.touch()
  }

  /** Has its definition written. */
  #define({ cell, labels }: Topic | Queue): void {
    const { stateLog, cycle } = this.#shard
    stateLog.snapshot(cell)
    if (labels === undefined) return
    cycle.gatheredBytes += LABELS_BYTES_MAX
    cycle.bound()
  }

  #newLog(): LogTail {
    return new LogTail(this.#shard.store.createLog(), 0, 0)
  }

  #openLog(log: number): LogTail {
    const { start, end } = this.#shard.store.bounds(log)
    return new LogTail(log, start, end)
  }

  #checkNew(count: number, what: string): void {
    this.#checkOpen()
    if (count < this.#shard.limits.queuesMax) return
    throw new MillraceError(
      'limit_reached',
      `there are ${count} ${what}, and more are not allowed: delete some, or raise the limit`,
    )
  }

  #checkOpen(): void {
    if (this.#shard.refusal !== undefined) throw this.#shard.refusal
  }

  /** The target of dead letters exists, or is created if that is allowed. */
  checkDeadLetter(delivery: DeliveryPolicy): void {
    // An exchange need not exist.
    if (delivery.deadLetter === undefined || parseExchangeAddress(delivery.deadLetter) !== undefined) return
    const { kind, name } = parseDestination(delivery.deadLetter)
    if (kind === 'queue') this.queueOrCreate(name, true)
    else this.topicOrCreate(name, true)
  }
}
