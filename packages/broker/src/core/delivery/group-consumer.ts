/** One consumer of a queue or subscription. */
// hot path (packages/broker/test/core/throughput.mjs)
import { MillraceError } from '../../base/errors.ts'
import type { Consumer, DeliverySink, Outcome } from '../broker.ts'
import type { Shard } from '../shard.ts'
import type { Deadline } from '../timers.ts'
import type { Cursor } from './cursor.ts'
import type { HeldLease, Holder } from './cursor-owner.ts'
import type { DeliveryGroup, JoinOptions } from './delivery-group.ts'
import type { Death } from './ranges.ts'

/** Deadlines are rounded up to a 64th of the lease, so that neighbours that were delivered one by one share a range. */
const LEASE_STEPS = 64
const LEASE_STEP_MS_MAX = 1000
const EXPIRED_PER_TURN = 4096

export class GroupConsumer implements Consumer, Holder, Deadline {
  readonly sink: DeliverySink
  credit = 0
  /** Messages it holds. */
  holding = 0
  /** Has credit, as far as the group knows. Owned by the group. */
  willing = false
  /** Its neighbours among those of its priority that have credit, in the order of their turns. Owned by the group. */
  turnBefore: GroupConsumer | undefined
  turnAfter: GroupConsumer | undefined
  closed = false
  /** Whether it is there to be served: it does not poll, and has not retired. */
  served: boolean
  /** It gets messages of these alone, if there are any. */
  partitions: ReadonlySet<number> | undefined
  readonly #shard: Shard
  readonly #group: DeliveryGroup
  readonly #leaseMs: number | undefined
  readonly priority: number
  #retired = false
  #oldest: HeldLease | undefined
  #newest: HeldLease | undefined
  /** Until when the timer sleeps. */
  #armedMs = Infinity

  constructor(shard: Shard, group: DeliveryGroup, sink: DeliverySink, { leaseMs, priority, polls }: JoinOptions) {
    this.#shard = shard
    this.#group = group
    this.sink = sink
    this.#leaseMs = leaseMs
    this.priority = priority ?? 0
    this.served = polls !== true
  }

  /** How many messages it would take now. */
  get room(): number {
    const left = this.#shard.limits.inFlightPerConsumerMax - this.holding
    return this.credit < left ? this.credit : left
  }

  get newest(): HeldLease | undefined {
    return this.#newest
  }

  // ---- what its door calls ------------------------------------------------------------------------------------------

  checkAdmitted(): void {
    this.#group.checkAdmitted(this)
  }

  grant(messages: number): void {
    if (this.closed || this.#retired || !(messages > 0) || !this.#group.admits(this)) return
    this.credit += messages
    if (!this.served) this.#group.onPolled?.()
    this.#group.offer(this)
    this.#shard.dispatcher.run()
  }

  revoke(): void {
    this.credit = 0
  }

  drain(): void {
    if (!this.closed) this.#group.drain(this)
  }

  retire(): void {
    if (this.closed || this.#retired) return
    this.#retired = true
    this.credit = 0
    const wasServed = this.served
    this.served = false
    this.#group.standsDown(this)
    if (wasServed) this.#group.lostConsumer()
  }

  get retired(): boolean {
    return this.#retired
  }

  restrict(partitions: ReadonlySet<number>): void {
    this.partitions = partitions
    if (this.credit > 0 && !this.closed) this.#group.offer(this)
  }

  get turn(): Consumer['turn'] {
    return this.#group.turnOf(this)
  }

  get leaseMs(): number {
    return this.#leaseMs ?? this.#group.policy.leaseMs
  }

  settle(partition: number, first: number, last: number, outcome: Outcome, attempt: number = 0): void {
    const settled = this.#group.cursor(partition)?.settle(this, first, last, outcome, attempt) ?? 0
    this.#shard.cycle.bound()
    // After `bound`, which may close the commit. Who waits for it asks for a ticket.
    this.#shard.store.touchSoon()
    if (settled > 0 && this.credit > 0 && !this.willing && !this.closed) this.#group.offer(this)
    if (settled !== last - first + 1) throw this.#stale(partition, first, last, settled, attempt)
  }

  extend(partition: number, first: number, last: number, attempt: number = 0): void {
    const cursor = this.#group.cursor(partition)
    const extended = cursor === undefined ? 0 : this.#extendDeliveries(cursor, first, last, attempt)
    this.watchLease()
    if (extended !== last - first + 1) throw this.#stale(partition, first, last, extended, attempt)
  }

  close(uncounted: boolean = false): void {
    if (this.closed) return
    this.leave(uncounted ? 'uncounted' : 'max-attempts')
    if (this.served) this.#group.lostConsumer()
  }

  // ---- what a transaction asks first ----------------------------------------------------------------------------------

  get address(): string {
    return this.#group.address
  }

  /** Whether it holds all of `first..last`, as that delivery if one is given. */
  holds(partition: number, first: number, last: number, attempt: number = 0): boolean {
    const held = this.#group.cursor(partition)?.held
    let at = first
    for (let range = held?.from(first); range !== undefined && at <= last; range = held!.from(at)) {
      const { lease } = range
      if (lease.holder !== this || range.first > at || (attempt !== 0 && lease.attempt !== attempt)) return false
      at = range.last + 1
    }
    return at > last
  }

  // ---- what the group calls -----------------------------------------------------------------------------------------

  /**
   * Gives back all that it holds and leaves the group, without a word to the sink.
   * @param death what messages die of whose last attempt this was; undefined when it is sent away; `uncounted` when it was no attempt
   */
  leave(death: Death | 'uncounted' | undefined): void {
    if (this.closed) return
    this.closed = true
    this.credit = 0
    for (let lease = this.#oldest; lease !== undefined; lease = this.#oldest) lease.origin.takeBack(lease, death, Infinity)
    this.#group.left(this)
    this.#shard.store.touch()
  }

  /** When a delivery that is made now has to be settled. */
  deadlineMs(nowMs: number): number {
    const { leaseMs } = this
    const stepMs = Math.min(Math.max(1, Math.floor(leaseMs / LEASE_STEPS)), LEASE_STEP_MS_MAX)
    return Math.ceil((nowMs + leaseMs) / stepMs) * stepMs
  }

  /** Something was delivered: watches its lease. */
  watchLease(): void {
    if (this.#oldest === undefined || this.#oldest.deadlineMs >= this.#armedMs) return
    this.#armedMs = this.#oldest.deadlineMs
    this.#shard.timers.add(this.#armedMs, this)
  }

  due(nowMs: number): void {
    if (this.closed) return
    this.#armedMs = Infinity
    let left = EXPIRED_PER_TURN
    for (let lease = this.#oldest; lease !== undefined && lease.deadlineMs <= nowMs && left > 0; lease = this.#oldest)
      left -= lease.origin.takeBack(lease, 'lease-expired', left)
    if (this.credit > 0) this.#group.offer(this)
    this.watchLease()
  }

  // ---- what it holds, in order of deadlines ---------------------------------------------------------------------------

  link(lease: HeldLease): void {
    let after = this.#newest
    // Steps back only where the lease time was shortened.
    while (after !== undefined && after.deadlineMs > lease.deadlineMs) after = after.previous
    lease.previous = after
    lease.next = after === undefined ? this.#oldest : after.next
    if (lease.previous === undefined) this.#oldest = lease
    else lease.previous.next = lease
    if (lease.next === undefined) this.#newest = lease
    else lease.next.previous = lease
  }

  unlink(lease: HeldLease): void {
    if (lease.previous === undefined) this.#oldest = lease.next
    else lease.previous.next = lease.next
    if (lease.next === undefined) this.#newest = lease.previous
    else lease.next.previous = lease.previous
    lease.previous = undefined
    lease.next = undefined
  }

  /** Extends what it holds of `first..last`; of other deliveries than `attempt` nothing, unless that is 0. @returns how many messages that were */
  #extendDeliveries(cursor: Cursor, first: number, last: number, attempt: number): number {
    const deadlineMs = this.deadlineMs(this.#shard.platform.clock.monotonicMs())
    if (attempt === 0) return cursor.extend(this, first, last, deadlineMs)
    let extended = 0
    for (let range = cursor.held.from(first); range !== undefined && range.first <= last;) {
      const from = Math.max(range.first, first)
      const to = Math.min(range.last, last)
      if (range.lease.attempt === attempt) extended += cursor.extend(this, from, to, deadlineMs)
      range = cursor.held.from(to + 1)
    }
    return extended
  }

  #stale(partition: number, first: number, last: number, found: number, attempt: number): MillraceError {
    const wanted = last - first + 1
    const place = `${this.#group.address} partition ${partition} offset ${first === last ? first : `${first}..${last}`}`
    const which = attempt > 0 ? ` as delivery ${attempt}` : ''
    return new MillraceError(
      'stale_delivery',
      `${wanted - found} of ${wanted} messages at ${place} are not held by this consumer${which}: they were settled before, or their lease ran out and they are delivered again; nothing more needs to be done for them`,
    )
  }
}
