/**
 * Delivers the messages of one log for one queue or subscription, and takes back what consumers say of them.
 *
 * A delivery is recorded before it is made: first deliveries by a mark that runs ahead of `position`, later ones by their
 * number of attempts. So a restart knows everything that may have been delivered, and attempts never go back.
 */
// hot path (packages/broker/test/core/throughput.mjs)
import { assert } from '../../base/assert.ts'
import type { StoredBatch, Ticket } from '../../storage/log-store.ts'
import type { Outcome } from '../broker.ts'
import { NACK_DELAY_MS_MAX } from '../limits.ts'
import type { LogFollower, LogTail } from '../log-tail.ts'
import type { Shard } from '../shard.ts'
import type { CursorOwner, Held, HeldLease, Holder } from './cursor-owner.ts'
import { CursorReads } from './cursor-reads.ts'
import { CursorState } from './cursor-state.ts'
import type { DeliveryState } from './delivery-state.ts'
import { ExpiryRuns, mayExpire } from './expiry-runs.ts'
import { failureWaitMs } from './failure-wait.ts'
import type { KeyTurns } from './key-turns.ts'
import { leaseFor } from './lease-for.ts'
import { type OwnRetry, ownRetry } from './own-retry.ts'
import { type Death, HeldRange, NOT_RECORDED, ReturnedRange } from './ranges.ts'
import { recordFilter } from './record-filter.ts'
import { RecordRuns, hasGaps } from './record-runs.ts'
import { mayHaveRetry, RetryRuns } from './retry-runs.ts'

/** The mark runs at least so far ahead of the position while there are consumers with credit, and at most twice as far. */
const AHEAD_MIN = 32
/** Runs of expired messages that are taken out before somebody else gets a turn. */
const EXPIRED_RUNS_MAX = 64

export class Cursor extends CursorState implements LogFollower {
  /** Owned by the delivery group. */
  active = false
  /** Why `prepare` found nothing: what could be delivered waits for a commit or a read, or for what must not be overtaken. */
  isComing = false
  /** It waits for a commit or a read, and those are under way: no longer than the disk takes. */
  isOnItsWay = false
  /** Waits to have its dead letters moved. Owned by `DeadLetters`. */
  burying = false

  /** What `prepare` found: a run of one batch that can be delivered now. */
  sliceFirst = 0
  sliceLast = 0
  sliceAttempt = 0
  /** Of all its messages. */
  sliceRetry: OwnRetry | undefined
  sliceBatch: StoredBatch | undefined

  /** All below is committed. May lag behind. */
  #readable = 0
  /** The last commit that it took part in. */
  #closedIn = 0
  /** Made on first use, like the next: most queues are idle. */
  #reads: CursorReads | undefined
  #sliceSource: ReturnedRange | undefined
  #runs: RecordRuns | undefined
  #expiry: ExpiryRuns | undefined
  #retries: RetryRuns | undefined
  /** Of the messages from here on that wait for their next attempt, the keys are not known since the restart. */
  #unplacedFrom = Infinity

  constructor(shard: Shard, owner: CursorOwner, entity: number, partition: number, log: LogTail, state: DeliveryState) {
    super(shard, owner, entity, partition, log, state)
    if (this.turns !== undefined && this.delayed.ranges > 0) this.#unplacedFrom = 0
    log.followers.push(this)
    this.trimmed(log.start)
    if (this.doomedRanges.ranges > 0) owner.doomed(this)
    if (this.returned.ranges > 0 || this.position < log.end) owner.activate(this)
    if (owner.ttlMs !== undefined || this.floor() < log.end) shard.expiry.watch(this)
  }

  /** The place that was looked for by time is found. */
  sought(position: number): void {
    if (this.seekingMs === undefined || this.isClosed) return
    this.seekingMs = undefined
    this.position = Math.max(position, this.log.start)
    this.origin = this.position
    this.markAhead = this.position
    this.markDurable = this.position
    this.shard.stateLog.snapshot(this)
    this.owner.activate(this)
  }

  /** Nobody holds any: all below `offset` is done, and all from there on is delivered, also what was settled. */
  seek(offset: number): void {
    const place = Math.min(Math.max(offset, this.log.start), this.log.end)
    if (this.seekingMs === undefined) this.rearrange(place)
    else this.sought(place)
    this.shard.store.touch()
    this.activate()
  }

  /** Takes no part in anything any more. */
  close(): void {
    this.isClosed = true
    this.#reads?.clear()
    const at = this.log.followers.indexOf(this)
    if (at >= 0) this.log.followers.splice(at, 1)
  }

  // ---- delivery ----------------------------------------------------------------------------------------------------

  /** Looks for what is to be delivered next and describes it in the slice fields. @returns false when there is nothing now */
  prepare(): boolean {
    this.isComing = false
    this.isOnItsWay = false
    if (this.isClosed || this.seekingMs !== undefined) return false
    if (this.#unplacedFrom < Infinity && !this.#placeDelayed(this.turns!)) return this.#later()
    for (let expired = 0; expired < EXPIRED_RUNS_MAX;) {
      const again = this.returned.first()
      if (again === undefined && !this.#hasNew()) {
        this.isComing = this.owner.order === 'strict' && this.delayed.ranges > 0
        if (this.log.end > this.position) {
          this.#askForCommit()
          this.isOnItsWay = this.position < this.shard.store.bounds(this.log.id).end
          this.isComing ||= this.isOnItsWay
        }
        return false
      }
      if (again !== undefined && (again.recordedIn === NOT_RECORDED || again.recordedIn > this.shard.store.committedTicket)) {
        if (again.recordedIn === NOT_RECORDED) this.#askForCommit()
        return this.#later()
      }
      const first = again === undefined ? this.position : again.first
      if (this.#mustWait(again, first)) {
        this.isComing = this.owner.order === 'strict'
        return false
      }
      const last = again === undefined ? Math.min(this.markDurable, this.#readable) - 1 : again.last
      const batch = (this.#reads ??= this.#newReads()).at(first, again === undefined ? 0 : last - first + 1)
      if (batch === 'wait') return this.#later()
      if (batch === 'moved') continue
      if (batch === undefined || batch.baseOffset > first) {
        this.#skip(again, first, batch === undefined ? last : Math.min(last, batch.baseOffset - 1))
        continue
      }
      this.sliceFirst = first
      this.sliceLast = Math.min(last, batch.lastOffset)
      this.sliceAttempt = again === undefined ? 1 : again.attempts + 1
      if ((this.owner.filter !== undefined || hasGaps(batch)) && !this.#fitToRecords(again, batch)) continue
      if (mayExpire(batch.bytes, this.owner.ttlMs) && !this.#fitToUnexpired(batch)) {
        expired++
        continue
      }
      this.sliceRetry = mayHaveRetry(batch.bytes) ? this.#fitToRetry(batch) : undefined
      if (this.turns !== undefined && !this.#fitToKeys(this.turns, again, batch)) continue
      this.sliceBatch = batch
      this.#sliceSource = again
      return true
    }
    // The commit with what expired wakes it again.
    return this.#later()
  }

  /** Has its next deliveries recorded, if they are not. @returns how many messages wait */
  anticipate(): number {
    const again = this.returned.first()
    const isRecorded = again === undefined ? this.position < this.markDurable : again.recordedIn !== NOT_RECORDED
    if (!isRecorded) this.#askForCommit()
    return this.ready(this.log.end)
  }

  /** Hands the first `count` messages of the slice to `holder`. */
  take(count: number, holder: Holder, deadlineMs: number): void {
    const first = this.sliceFirst
    const last = first + count - 1
    const again = this.#sliceSource
    this.#pass(again, last)
    this.turns?.enter(first, last)

    this.#hold(first, last, this.sliceAttempt, deadlineMs, holder, this.sliceRetry)
    this.countDelivered(count, this.sliceAttempt > 1)
    this.sliceBatch = undefined
    this.#reads?.passed(last + 1, again === undefined)
  }

  // ---- settling ----------------------------------------------------------------------------------------------------

  /**
   * Settles what `holder` holds of `first..last`.
   * @param attempt the number of the delivery, or 0 for any
   * @returns how many messages that were
   */
  settle(holder: Holder, first: number, last: number, outcome: Outcome, attempt: number): number {
    let settled = 0
    this.owner.lastActiveMs = this.shard.cycle.openedMs
    let range = this.held.from(first)
    while (range !== undefined && range.first <= last) {
      const from = range.first > first ? range.first : first
      const to = range.last < last ? range.last : last
      const { lease, retry } = range
      if (lease.holder === holder && (attempt === 0 || attempt === lease.attempt)) {
        settled += to - from + 1
        const made = lease.attempt
        this.#carve(range, from, to)
        if (outcome.kind === 'ack') this.#ack(from, to)
        else if (outcome.kind === 'nack') this.#nack(from, to, made, outcome, retry)
        else this.doom(from, to, made, 'rejected', outcome.reason ?? '')
      }
      if (to === last) break
      range = this.held.from(to + 1)
    }
    return settled
  }

  /**
   * Takes what is left of a lease back from its holder.
   * @param rangesMax after so many ranges it stops
   * @param death what it dies of if that was the last attempt; undefined when the holder is not to blame; `uncounted` when it was no attempt
   * @returns how many ranges that were
   */
  takeBack(lease: HeldLease, death: Death | 'uncounted' | undefined, rangesMax: number): number {
    const { attempt } = lease
    let taken = 0
    for (let range = this.held.from(lease.first); range !== undefined && taken < rangesMax && lease.messages > 0;) {
      const { first, last, retry } = range
      if (range.lease === lease) {
        taken++
        this.#carve(range, first, last)
        if (death === 'uncounted') this.giveBack(first, last, attempt - 1, 0, true)
        else if (death === undefined) this.giveBack(first, last, attempt, 0, false)
        else {
          const delayMs = death === 'lease-expired' ? this.#failureWaitMs(attempt, retry) : 0
          this.handBack(first, last, attempt, death, '', delayMs, retry)
        }
        this.shard.cycle.bound()
      }
      range = this.held.from(last + 1)
    }
    assert(taken > 0, 'what a lease holds is within it')
    return taken
  }

  /** Extends the lease of what `holder` holds of `first..last`. @returns how many messages that were */
  extend(holder: Holder, first: number, last: number, deadlineMs: number): number {
    let extended = 0
    let range = this.held.from(first)
    while (range !== undefined && range.first <= last) {
      const from = Math.max(range.first, first)
      const to = Math.min(range.last, last)
      const { lease } = range
      if (lease.holder === holder) {
        extended += to - from + 1
        this.#carve(range, from, to)
        this.#hold(from, to, lease.attempt, deadlineMs, holder, range.retry)
      }
      range = this.held.from(to + 1)
    }
    return extended
  }

  // ---- what others tell it -----------------------------------------------------------------------------------------

  appended(): void {
    this.owner.lastActiveMs = this.shard.cycle.openedMs
    this.owner.activate(this)
    if (this.owner.hasCredit || this.owner.isFleeting) this.shard.cycle.gather(this)
  }

  compacted(): void {
    this.#reads?.clear()
  }

  expiring(): void {
    this.shard.expiry.watch(this)
  }

  // ---- commits -----------------------------------------------------------------------------------------------------

  closing(ticket: Ticket): number {
    if (this.isClosed) return 0
    this.#closedIn = ticket
    if (this.owner.hasCredit) this.#recordAhead(ticket)
    this.writeEarly()
    return this.markAhead
  }

  committed(mark: number): void {
    if (this.isClosed) return
    if (mark > this.markDurable) this.markDurable = mark
    this.isOnItsWay = false
    this.owner.activate(this)
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  #later(): false {
    this.isComing = true
    this.isOnItsWay = true
    return false
  }

  protected activate(): void {
    this.owner.activate(this)
  }

  protected tellDoomed(): void {
    this.owner.doomed(this)
  }

  /** Whether the next new message is committed, and its delivery recorded. */
  #hasNew(): boolean {
    if (this.position >= this.markDurable) return false
    if (this.position < this.#readable) return true
    this.#readable = this.shard.store.bounds(this.log.id).end
    return this.position < this.#readable
  }

  /** There is something to record, or to wait for, unless a commit is under way that will say so. */
  #askForCommit(): void {
    if (this.#closedIn > this.shard.store.committedTicket) return
    this.shard.cycle.gather(this)
    this.shard.store.touch()
  }

  /** Records the deliveries that are likely to be made before the next commit. */
  #recordAhead(ticket: Ticket): void {
    const wanted = Math.max(this.owner.credit(), AHEAD_MIN)
    let ahead = 2 * wanted
    const { cycle } = this.shard
    for (let range = this.returned.first(); range !== undefined && ahead > 0; range = this.returned.from(range.last + 1)) {
      if (range.recordedIn === NOT_RECORDED) {
        if (!cycle.mayRecord()) {
          this.#askForCommit()
          return
        }
        if (range.last - range.first >= ahead) {
          const cut = range.first + ahead
          const rest = new ReturnedRange(cut, range.last, range.attempts)
          this.returned.cutBack(range, cut - 1)
          this.returned.insert(rest)
        }
        range.recordedIn = ticket
        this.change().setAttempts(range.first, range.last, range.attempts + 1)
      }
      ahead -= range.last - range.first + 1
    }
    if (ahead <= 0 || this.seekingMs !== undefined) return
    // Far enough beyond the end that a trickle of messages needs no mark of its own for each of them.
    if (this.markAhead >= this.position + wanted) return
    this.markAhead = this.position + ahead
    this.change().mark = this.markAhead
  }

  #newReads(): CursorReads {
    return new CursorReads(this.shard, this.owner, this.log, () => this.#loaded())
  }

  #loaded(): void {
    if (this.isClosed) {
      this.close()
      return
    }
    this.isOnItsWay = false
    this.owner.activate(this)
    this.shard.dispatcher.run()
  }

  /** `first..last` holds no records: compaction removed them. */
  #skip(again: ReturnedRange | undefined, first: number, last: number): void {
    this.#pass(again, last)
    this.settled(first, last)
  }

  /** What is up to `last` is not ready any more. */
  #pass(again: ReturnedRange | undefined, last: number): void {
    if (again === undefined) this.position = last + 1
    else if (last === again.last) this.returned.remove(again)
    else this.returned.cutFront(again, last + 1)
  }

  /** Whether order forbids to go on from `first` now. */
  #mustWait(again: ReturnedRange | undefined, first: number): boolean {
    if (this.owner.order === 'strict') return (this.delayed.first()?.first ?? Infinity) < first
    return again === undefined && this.turns?.isFull === true
  }

  /** Shortens the slice to messages whose turn it is. @returns false when its first one has to wait */
  #fitToKeys(turns: KeyTurns, again: ReturnedRange | undefined, batch: StoredBatch): boolean {
    const first = this.sliceFirst
    const free = turns.admit(batch, first, this.sliceLast, again === undefined)
    if (free > 0) {
      this.sliceLast = first + free - 1
      return true
    }
    const last = first - free - 1
    this.#pass(again, last)
    turns.block(first, last, again?.attempts ?? 0)
    return false
  }

  /** After a restart: what waits for its next attempt gets its place before later messages with its keys. @returns false when a read takes time */
  #placeDelayed(turns: KeyTurns): boolean {
    for (let range = this.delayed.from(this.#unplacedFrom); range !== undefined; range = this.delayed.from(this.#unplacedFrom)) {
      const first = Math.max(range.first, this.#unplacedFrom)
      const batch = (this.#reads ??= this.#newReads()).at(first, range.last - first + 1)
      if (batch === 'wait') return false
      if (batch === 'moved') continue
      const last = Math.min(range.last, batch?.lastOffset ?? range.last)
      if (batch !== undefined) turns.place(batch, first, last)
      this.#unplacedFrom = last + 1
    }
    this.#unplacedFrom = Infinity
    return true
  }

  #newRuns(): RecordRuns {
    const { filter } = this.owner
    return new RecordRuns(filter === undefined ? undefined : recordFilter(this.shard.selectors, filter))
  }

  /** Shortens the slice to a run of offsets that have records, and such as the filter takes. @returns false when it begins where there is none */
  #fitToRecords(again: ReturnedRange | undefined, batch: StoredBatch): boolean {
    const runs = (this.#runs ??= this.#newRuns())
    const first = runs.seek(batch, this.sliceFirst)
    if (first > this.sliceFirst) {
      this.#skip(again, this.sliceFirst, Math.min(first - 1, this.sliceLast))
      return false
    }
    this.sliceLast = Math.min(this.sliceLast, runs.last)
    return true
  }

  /** Ends the slice before what has expired, or takes out what it begins with. @returns false for the latter */
  #fitToUnexpired(batch: StoredBatch): boolean {
    const runs = (this.#expiry ??= new ExpiryRuns())
    const nowMs = this.shard.platform.clock.nowMs()
    const isExpired = runs.isExpired(batch, this.owner.ttlMs, this.sliceFirst, this.sliceLast, nowMs)
    if (isExpired) this.die(this.sliceFirst, runs.last, 'expired')
    else this.sliceLast = runs.last
    return !isExpired
  }

  /** Ends the slice before what has another retry policy of its own. @returns what that of the slice says */
  #fitToRetry(batch: StoredBatch): OwnRetry | undefined {
    const runs = (this.#retries ??= new RetryRuns(this.shard.retries))
    const retry = runs.at(batch, this.sliceFirst, this.sliceLast)
    this.sliceLast = runs.last
    return retry === undefined ? undefined : ownRetry(retry, this.sliceAttempt)
  }

  /** From now on `holder` holds `first..last`, with the lease that ends last if it ends then. */
  #hold(first: number, last: number, attempt: number, deadlineMs: number, holder: Holder, retry: OwnRetry | undefined): void {
    const lease = leaseFor(holder, this, first, last, attempt, deadlineMs)
    const { newest } = lease
    if (newest !== undefined && newest.last === first - 1 && newest.retry === retry) this.held.grow(newest, last)
    else {
      lease.newest = new HeldRange<Holder, Cursor>(first, last, lease, retry)
      this.held.insert(lease.newest)
    }
    lease.last = last
    lease.messages += last - first + 1
    holder.holding += last - first + 1
  }

  /** Takes `from..to` out of a held range. */
  #carve(range: Held, from: number, to: number): void {
    const { lease } = range
    lease.holder.holding -= to - from + 1
    lease.messages -= to - from + 1
    if (lease.messages === 0) lease.holder.unlink(lease)
    if (from === range.first && to === range.last) {
      this.held.remove(range)
      if (lease.newest === range) lease.newest = undefined
    } else if (from === range.first) this.held.cutFront(range, to + 1)
    else {
      const end = range.last
      this.held.cutBack(range, from - 1)
      if (to === end) return
      const tail: Held = new HeldRange<Holder, Cursor>(to + 1, end, lease, range.retry)
      this.held.insert(tail)
      if (lease.newest === range) lease.newest = tail
    }
  }

  #ack(first: number, last: number): void {
    this.settled(first, last)
    this.count('acked', last - first + 1)
  }

  #nack(first: number, last: number, attempt: number, outcome: Outcome & { kind: 'nack' }, retry: OwnRetry | undefined): void {
    const uncounted = outcome.uncounted === true
    const wait = outcome.delayMs ?? (uncounted ? 0 : this.#failureWaitMs(attempt, retry, outcome.fallbackDelayMs))
    const delayMs = Math.min(wait, NACK_DELAY_MS_MAX)
    if (uncounted) this.giveBack(first, last, attempt - 1, delayMs, true)
    else this.handBack(first, last, attempt, 'max-attempts', outcome.error ?? '', delayMs, retry)
  }

  #failureWaitMs(attempts: number, retry: OwnRetry | undefined, fallbackMs = 0): number {
    return failureWaitMs(attempts, retry, this.owner.backoff, this.shard.platform.random) ?? fallbackMs
  }
}
