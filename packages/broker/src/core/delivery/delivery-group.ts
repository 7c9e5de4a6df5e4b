/** The consumers of one queue or subscription, and its cursors: who gets what. */
// hot path (packages/broker/test/core/throughput.mjs)
import type { Backoff } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Ticket } from '../../storage/log-store.ts'
import type { Consumer, Delivery, DeliveryPolicy, DeliveryInfo, DeliverySink, LevelInfo } from '../broker.ts'
import type { CheckedDelivery } from '../delivery-policy.ts'
import type { Task } from '../dispatcher.ts'
import type { Shard } from '../shard.ts'
import type { Deadline } from '../timers.ts'
import { type ActiveCursors, CursorsHighestFirst, CursorsInTurn } from './active-cursors.ts'
import type { Cursor } from './cursor.ts'
import type { CursorOwner } from './cursor-owner.ts'
import { newCounters } from './delivery-state.ts'
import { Drains } from './drains.ts'
import { GroupConsumer } from './group-consumer.ts'
import { RateLimit } from './rate-limit.ts'
import { Turns } from './turns.ts'

/** Slices that are handed out before others get their turn. */
const SLICES_PER_SHARE = 64
/** Where cursors wait to have their dead letters moved. */
export interface DeadLetterQueue {
  add(cursor: Cursor): void
  /** Takes a batch that was refused. */
  refused(owner: CursorOwner, batch: Uint8Array): void
}

/** What a consumer asks for. */
export interface JoinOptions {
  readonly leaseMs?: number | undefined
  readonly priority?: number | undefined
  readonly exclusive?: boolean | undefined
  readonly polls?: boolean | undefined
}

export class DeliveryGroup implements CursorOwner, Task, Deadline {
  readonly address: string
  readonly trimsLog: boolean
  /** In order of their partitions. Levels of a queue with priorities come as they are used, so there may be gaps. */
  readonly cursors: Cursor[] = []
  queued = false
  lastActiveMs: number
  /** The last consumer that was there to be served has left. */
  onUnused: (() => void) | undefined
  /** One that is not there to be served asks for something. */
  onPolled: (() => void) | undefined

  readonly #shard: Shard
  readonly #deadLetters: DeadLetterQueue
  /** Made on first use, to keep queues small that nobody consumes. */
  #consumers: Set<GroupConsumer> | undefined
  readonly #turns = new Turns()
  /** With one consumer at a time: who that is. */
  #single: GroupConsumer | undefined
  #exclusive: GroupConsumer | undefined
  #policy: CheckedDelivery
  #rate: RateLimit | undefined
  #waitsForRate = false
  #active: ActiveCursors = new CursorsInTurn(this.cursors)
  /** Made on first use. */
  #drains: Drains | undefined

  constructor(shard: Shard, address: string, trimsLog: boolean, policy: CheckedDelivery, deadLetters: DeadLetterQueue) {
    this.#shard = shard
    this.address = address
    this.trimsLog = trimsLog
    this.lastActiveMs = shard.platform.clock.monotonicMs()
    this.#policy = policy
    this.#deadLetters = deadLetters
    this.#limitRate()
  }

  get policy(): CheckedDelivery {
    return this.#policy
  }

  changePolicy(policy: CheckedDelivery): void {
    this.#policy = policy
    this.#limitRate()
    if (!this.#isSingle) this.#single = undefined
    else this.#single ??= this.#chooseSingle()
    this.#shard.dispatcher.wake(this)
  }

  /** Those that are served, and of the others those that wait for something. */
  get consumers(): number {
    let count = 0
    for (const consumer of this.#consumers ?? []) if (consumer.served || consumer.credit > 0) count++
    return count
  }

  /** All that may hold something. */
  get members(): number {
    return this.#consumers?.size ?? 0
  }

  /** Whether somebody is there to be served, waits for something or holds something. Who polls now and then says so by `onPolled`. */
  get isUsed(): boolean {
    for (const { served, credit, holding } of this.#consumers ?? []) if (served || credit > 0 || holding > 0) return true
    return false
  }

  get maxAttempts(): number {
    return this.policy.maxAttempts ?? Infinity
  }

  get deadLetter(): string | undefined {
    return this.policy.deadLetter
  }

  get deadLetterForm(): Pick<DeliveryPolicy, 'deadLetterContent' | 'deadLetterHeaders'> {
    return this.policy
  }

  get backoff(): Backoff | undefined {
    return this.policy.backoff
  }

  get order(): 'none' | 'key' | 'strict' {
    return this.policy.order ?? 'none'
  }

  get filter(): string | undefined {
    return this.policy.filter
  }

  get ttlMs(): number | undefined {
    const { ttlMs } = this.policy
    return ttlMs === 0 ? undefined : ttlMs
  }

  get isFleeting(): boolean {
    return this.policy.ttlMs === 0
  }

  get hasCredit(): boolean {
    if (this.policy.paused === true) return false
    return this.#isSingle ? this.#single?.willing === true : this.#turns.count > 0
  }

  credit(): number {
    return this.#isSingle ? Math.max(0, this.#single?.room ?? 0) : this.#turns.credit()
  }

  // ---- consumers ----------------------------------------------------------------------------------------------------

  /** @throws MillraceError `in_use` */
  join(sink: DeliverySink, options: JoinOptions): GroupConsumer {
    this.checkAdmitted(undefined)
    if (options.exclusive === true && this.consumers > 0) throw this.#inUse(`${this.consumers} others consume`)
    const consumer = new GroupConsumer(this.#shard, this, sink, options)
    this.#consumers ??= new Set()
    this.#consumers.add(consumer)
    if (options.exclusive === true) this.#exclusive = consumer
    if (this.#isSingle) this.#single ??= consumer
    this.#shard.totals.consumers++
    return consumer
  }

  /** @throws MillraceError `in_use` when another one consumes alone */
  checkAdmitted(consumer: GroupConsumer | undefined): void {
    if (!this.admits(consumer)) throw this.#inUse('another one consumes it alone')
  }

  admits(consumer: GroupConsumer | undefined): boolean {
    return this.#exclusive === undefined || this.#exclusive === consumer
  }

  #inUse(who: string): MillraceError {
    return new MillraceError('in_use', `${this.address} cannot be consumed: ${who}. Try again when that has ended.`)
  }

  left(consumer: GroupConsumer): void {
    if (this.#consumers?.delete(consumer) !== true) return
    this.#shard.totals.consumers--
    this.standsDown(consumer)
  }

  /** It gets nothing any more. */
  standsDown(consumer: GroupConsumer): void {
    this.#turns.leave(consumer)
    this.#drains?.forget(consumer)
    if (this.#exclusive === consumer) this.#exclusive = undefined
    if (this.#single !== consumer) return
    this.#single = this.#chooseSingle()
    this.#shard.dispatcher.wake(this)
  }

  /** One that was served does not want to be any more. */
  lostConsumer(): void {
    if (this.onUnused === undefined) return
    for (const consumer of this.#consumers ?? []) if (consumer.served) return
    this.onUnused()
  }

  drain(consumer: GroupConsumer): void {
    this.#drains ??= new Drains()
    this.#drains.add(consumer, this.#shard.store.ticket())
    this.#shard.dispatcher.wake(this)
  }

  /** The consumer has credit: it gets its turn. */
  offer(consumer: GroupConsumer): void {
    this.#turns.add(consumer)
    if (this.#active.size > 0) this.#shard.dispatcher.wake(this)
  }

  /** Sends all consumers away. */
  dismiss(reason: MillraceError): void {
    for (const consumer of this.#consumers ?? []) {
      consumer.leave(undefined)
      consumer.sink.closed(reason)
    }
  }

  // ---- cursors ------------------------------------------------------------------------------------------------------

  /** Takes in the cursor of a partition that is new. */
  add(cursor: Cursor): void {
    let at = this.cursors.length
    while (at > 0 && this.cursors[at - 1]!.partition > cursor.partition) at--
    this.cursors.splice(at, 0, cursor)
  }

  cursor(partition: number): Cursor | undefined {
    const cursor = this.cursors[partition]
    return cursor?.partition === partition ? cursor : this.#levelCursor(partition)
  }

  /** Apart, since a closure costs whatever is around it. */
  #levelCursor(level: number): Cursor | undefined {
    return this.cursors.find(({ partition }) => partition === level)
  }

  /** From now on partitions are levels of priority. */
  serveHighestFirst(): void {
    this.#active = new CursorsHighestFirst(this.cursors)
  }

  activate(cursor: Cursor): void {
    this.#active.add(cursor)
    if (this.#turns.count > 0 || this.isFleeting) this.#shard.dispatcher.wake(this)
  }

  doomed(cursor: Cursor): void {
    this.#deadLetters.add(cursor)
  }

  refused(batch: Uint8Array): void {
    this.#deadLetters.refused(this, batch)
  }

  failed(error: MillraceError): void {
    this.#shard.warn(`${this.address} cannot be delivered: ${error.message}`)
    this.dismiss(error)
  }

  work(): boolean {
    const hasMore = this.#handOut()
    this.#drains?.end((consumer, open) => this.#mayGetMore(consumer, hasMore, open))
    if (this.isFleeting && !hasMore) this.#expireRest()
    return hasMore
  }

  /** The rate lets the next message go. */
  due(): void {
    this.#waitsForRate = false
    this.#shard.dispatcher.wake(this)
    this.#shard.dispatcher.run()
  }

  // ---- figures ------------------------------------------------------------------------------------------------------

  /** By level of priority, the highest first. */
  levels(): LevelInfo[] {
    const levels = this.cursors.map((cursor) => ({
      priority: cursor.partition,
      ready: cursor.ready(this.#shard.store.bounds(cursor.log.id).end),
      inFlight: cursor.held.offsets,
    }))
    return levels.toReversed()
  }

  info(): Omit<DeliveryInfo, 'oldestTimestampMs'> {
    const counters = newCounters()
    let published = 0
    let ready = 0
    let inFlight = 0
    let bytes = 0
    for (const cursor of this.cursors) {
      const bounds = this.#shard.store.bounds(cursor.log.id)
      published += Math.max(0, bounds.end - cursor.origin)
      ready += cursor.ready(bounds.end)
      inFlight += cursor.held.offsets
      const kept = bounds.end - bounds.start
      if (this.trimsLog) bytes += bounds.bytes
      else if (kept > 0)
        bytes += Math.round((bounds.bytes * Math.max(0, bounds.end - Math.max(cursor.floor(), bounds.start))) / kept)
      counters.delivered += cursor.counters.delivered
      counters.redelivered += cursor.counters.redelivered
      counters.acked += cursor.counters.acked
      counters.deadLettered += cursor.counters.deadLettered
      counters.dropped += cursor.counters.dropped
    }
    const { delivered, acked, redelivered, deadLettered, dropped } = counters
    return {
      delivery: this.policy,
      ready,
      inFlight,
      bytes,
      consumers: this.consumers,
      counters: { published, delivered, acked, redelivered, deadLettered, dropped },
    }
  }

  turnOf(consumer: GroupConsumer): Consumer['turn'] {
    if (!this.#isSingle) return 'shared'
    return this.#single === consumer ? 'single' : 'waiting'
  }

  // ---- inside -------------------------------------------------------------------------------------------------------

  get #isSingle(): boolean {
    return this.#policy.consumers === 'single' || this.#policy.order === 'strict'
  }

  /** The first that came of those with the highest priority. */
  #chooseSingle(): GroupConsumer | undefined {
    let chosen: GroupConsumer | undefined
    for (const consumer of this.#consumers ?? []) {
      if (!consumer.closed && !consumer.retired && (chosen === undefined || consumer.priority > chosen.priority))
        chosen = consumer
    }
    return chosen
  }

  /** Hands out slices: one per partition and consumer in turn, or those of the highest level. @returns whether there is more to do now */
  #handOut(): boolean {
    if (this.policy.paused === true) return false
    let passedOver = 0
    for (let slices = 0; slices < SLICES_PER_SHARE;) {
      const consumer = this.#nextConsumer(passedOver)
      if (consumer === undefined) return false
      const allowed = this.#rate === undefined ? Infinity : this.#allowed(this.#rate)
      if (allowed === 0) return false
      const cursor = this.#active.next(consumer.partitions)
      if (cursor === undefined) {
        if (consumer.partitions === undefined || this.#isSingle) return false
        this.#turns.passOver(consumer)
        passedOver++
        continue
      }
      this.#deliver(cursor, consumer, allowed)
      passedOver = 0
      slices++
    }
    return true
  }

  /** Whether something can be delivered to it in a moment: in this turn, or after a commit or read that is under way. */
  #mayGetMore(consumer: GroupConsumer, hasMore: boolean, open: Ticket): boolean {
    const { policy } = this
    if (consumer.room <= 0 || policy.paused === true) return false
    if (this.#isSingle ? this.#single !== consumer : this.#turns.isBehind(consumer)) return false
    if (this.#rate?.available(this.#shard.platform.clock.monotonicMs()) === 0) return false
    const { partitions } = consumer
    if (open > this.#shard.store.committedTicket && this.#hasUncommitted(partitions)) return true
    return (hasMore && this.#hasActive(partitions)) || this.#active.isAwaiting(partitions)
  }

  #hasActive(among: ReadonlySet<number> | undefined): boolean {
    return this.cursors.some(({ active, partition }) => active && among?.has(partition) !== false)
  }

  #hasUncommitted(among: ReadonlySet<number> | undefined): boolean {
    const { store } = this.#shard
    return this.cursors.some(({ log, partition }) => log.end > store.bounds(log.id).end && among?.has(partition) !== false)
  }

  /** What is committed, and nobody takes now. */
  #expireRest(): void {
    if (this.hasCredit && this.#active.isAwaiting(undefined)) return
    for (const cursor of this.cursors) cursor.expireReady()
  }

  #nextConsumer(passedOver: number): GroupConsumer | undefined {
    if (!this.#isSingle) return this.#turns.next(passedOver)
    const single = this.#single
    return single?.willing === true && single.room > 0 ? single : undefined
  }

  #limitRate(): void {
    const { ratePerSecond } = this.#policy
    if (ratePerSecond === undefined) this.#rate = undefined
    else this.#rate = new RateLimit(ratePerSecond, this.#shard.platform.clock.monotonicMs())
  }

  /** How many messages may go now; when none may, comes back in time. */
  #allowed(rate: RateLimit): number {
    const nowMs = this.#shard.platform.clock.monotonicMs()
    const allowed = rate.available(nowMs)
    if (allowed === 0 && !this.#waitsForRate) {
      this.#waitsForRate = true
      this.#shard.timers.add(rate.nextMs(nowMs), this)
    }
    return allowed
  }

  #deliver(cursor: Cursor, consumer: GroupConsumer, allowed: number): void {
    const stored = cursor.sliceBatch!
    const first = cursor.sliceFirst
    const available = cursor.sliceLast - first + 1
    // A batch is shared out: each message may be minutes of work.
    const batchOffsets = stored.lastOffset - stored.baseOffset + 1
    const sharers = this.#isSingle ? 1 : this.#turns.count
    const share = sharers === 1 ? available : Math.min(available, Math.ceil(batchOffsets / sharers))
    const count = Math.min(share, consumer.room, allowed)
    this.#rate?.took(count)
    const nowMs = (this.lastActiveMs = this.#shard.platform.clock.monotonicMs())
    cursor.take(count, consumer, consumer.deadlineMs(nowMs))
    consumer.credit -= count
    if (!this.#isSingle) this.#turns.served(consumer)
    else if (consumer.room <= 0) this.#turns.remove(consumer)
    consumer.watchLease()
    const delivery: Delivery = {
      partition: cursor.partition,
      baseOffset: stored.baseOffset,
      first,
      last: first + count - 1,
      attempt: cursor.sliceAttempt,
      batch: stored.bytes,
    }
    consumer.sink.deliver(delivery)
  }
}
