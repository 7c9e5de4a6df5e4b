/** The consumers of one queue or subscription, and its cursors: who gets what. */
// hot path (packages/broker/test/core/throughput.mjs)
import type { MillraceError } from '../../base/errors.ts'
import type { Delivery, DeliveryInfo, DeliverySink } from '../broker.ts'
import type { CheckedDelivery } from '../definitions.ts'
import type { Task } from '../dispatcher.ts'
import { Fifo } from '../fifo.ts'
import type { Shard } from '../shard.ts'
import type { Cursor } from './cursor.ts'
import type { CursorOwner } from './cursor-owner.ts'
import { newCounters } from './delivery-state.ts'
import { GroupConsumer } from './group-consumer.ts'

/** Slices that are handed out before others get their turn. */
const SLICES_PER_SHARE = 64
/** Consumers whose credit is added up, and the most that is taken for one. */
const CREDIT_CONSUMERS_MAX = 32
const CREDIT_MAX = 65_536

/** Where cursors wait to have their dead letters moved. */
export interface DeadLetterQueue {
  add(cursor: Cursor): void
}

export class DeliveryGroup implements CursorOwner, Task {
  readonly address: string
  readonly trimsLog: boolean
  /** By partition. */
  readonly cursors: Cursor[] = []
  policy: CheckedDelivery
  queued = false

  readonly #shard: Shard
  readonly #deadLetters: DeadLetterQueue
  /** Made on first use, to keep queues small that nobody consumes. */
  #consumers: Set<GroupConsumer> | undefined
  /** Consumers with credit, in the order of their turns. */
  readonly #willing = new Fifo<GroupConsumer>()
  #willingCount = 0
  /** Cursors that may have something to deliver. */
  readonly #active = new Fifo<Cursor>()

  constructor(shard: Shard, address: string, trimsLog: boolean, policy: CheckedDelivery, deadLetters: DeadLetterQueue) {
    this.#shard = shard
    this.address = address
    this.trimsLog = trimsLog
    this.policy = policy
    this.#deadLetters = deadLetters
  }

  get consumers(): number {
    return this.#consumers?.size ?? 0
  }

  get maxAttempts(): number {
    return this.policy.maxAttempts ?? Infinity
  }

  get deadLetter(): string | undefined {
    return this.policy.deadLetter
  }

  get hasCredit(): boolean {
    return this.#willingCount > 0
  }

  credit(): number {
    let credit = 0
    let counted = 0
    for (const consumer of this.#willing) {
      credit += Math.min(consumer.room, CREDIT_MAX)
      if (++counted === CREDIT_CONSUMERS_MAX) break
    }
    return credit
  }

  // ---- consumers ----------------------------------------------------------------------------------------------------

  join(sink: DeliverySink, leaseMs: number | undefined): GroupConsumer {
    const consumer = new GroupConsumer(this.#shard, this, sink, leaseMs)
    this.#consumers ??= new Set()
    this.#consumers.add(consumer)
    this.#shard.totals.consumers++
    return consumer
  }

  left(consumer: GroupConsumer): void {
    if (this.#consumers?.delete(consumer) !== true) return
    this.#shard.totals.consumers--
    this.#unwilling(consumer)
  }

  /** The consumer has credit: it gets its turn. */
  offer(consumer: GroupConsumer): void {
    if (consumer.queued) {
      if (!consumer.willing) {
        consumer.willing = true
        this.#willingCount++
      }
    } else {
      consumer.queued = true
      consumer.willing = true
      this.#willingCount++
      this.#willing.push(consumer)
    }
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

  activate(cursor: Cursor): void {
    if (!cursor.active) {
      cursor.active = true
      this.#active.push(cursor)
    }
    if (this.#willingCount > 0) this.#shard.dispatcher.wake(this)
  }

  doomed(cursor: Cursor): void {
    this.#deadLetters.add(cursor)
  }

  failed(error: MillraceError): void {
    this.#shard.warn(`${this.address} cannot be delivered: ${error.message}`)
    this.dismiss(error)
  }

  /** Hands out slices: one per partition and consumer in turn. */
  work(): boolean {
    for (let slices = 0; slices < SLICES_PER_SHARE;) {
      const consumer = this.#nextConsumer()
      if (consumer === undefined) return false
      const cursor = this.#active.peek()
      if (cursor === undefined) return false
      if (!cursor.prepare()) {
        this.#active.shift()
        cursor.active = false
        continue
      }
      if (this.#active.size > 1) {
        this.#active.shift()
        this.#active.push(cursor)
      }
      this.#deliver(cursor, consumer)
      slices++
    }
    return true
  }

  // ---- figures ------------------------------------------------------------------------------------------------------

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
    }
    const { delivered, acked, redelivered, deadLettered } = counters
    return {
      delivery: this.policy,
      ready,
      inFlight,
      bytes,
      consumers: this.consumers,
      counters: { published, delivered, acked, redelivered, deadLettered },
    }
  }

  // ---- inside -------------------------------------------------------------------------------------------------------

  #nextConsumer(): GroupConsumer | undefined {
    for (let consumer = this.#willing.peek(); consumer !== undefined; consumer = this.#willing.peek()) {
      if (consumer.willing && consumer.room > 0) return consumer
      this.#willing.shift()
      consumer.queued = false
      this.#unwilling(consumer)
    }
    return undefined
  }

  #unwilling(consumer: GroupConsumer): void {
    if (!consumer.willing) return
    consumer.willing = false
    this.#willingCount--
  }

  #deliver(cursor: Cursor, consumer: GroupConsumer): void {
    const stored = cursor.sliceBatch!
    const first = cursor.sliceFirst
    const available = cursor.sliceLast - first + 1
    // A batch is shared out: each message may be minutes of work.
    const batchOffsets = stored.lastOffset - stored.baseOffset + 1
    const share = this.#willingCount === 1 ? available : Math.min(available, Math.ceil(batchOffsets / this.#willingCount))
    const count = Math.min(share, consumer.room)
    cursor.take(count, consumer, consumer.deadlineMs(this.#shard.platform.clock.monotonicMs()))
    consumer.credit -= count
    this.#willing.shift()
    if (consumer.room > 0) this.#willing.push(consumer)
    else {
      consumer.queued = false
      this.#unwilling(consumer)
    }
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
