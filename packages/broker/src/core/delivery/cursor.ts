/**
 * The delivery state of one log for one queue or subscription. Offsets below `position` that are in none of the maps are
 * settled; those from `position` on were not delivered in this life of the broker. Nothing is kept per message of a backlog.
 *
 * A delivery is recorded before it is made: first deliveries by a mark that runs ahead of `position`, later ones by their
 * number of attempts. So a restart knows everything that may have been delivered, and attempts never go back.
 */
// hot path (packages/broker/test/core/throughput.mjs)
import type { StoredBatch, Ticket } from '../../storage/log-store.ts'
import type { Outcome } from '../broker.ts'
import type { CommitMember } from '../commit-cycle.ts'
import { ERROR_TEXT_CHARACTERS_MAX, NACK_DELAY_MS_MAX } from '../limits.ts'
import type { LogFollower, LogTail } from '../log-tail.ts'
import type { Shard } from '../shard.ts'
import type { ByteWriter } from '../state/bytes.ts'
import { StateCell } from '../state/state-log.ts'
import type { Deadline } from '../timers.ts'
import type { CursorOwner, Held, Holder } from './cursor-owner.ts'
import { CursorReads } from './cursor-reads.ts'
import { DeliveryChanges } from './delivery-changes.ts'
import { type Outstanding, type SnapshotSource, writeDelta, writeSnapshotPart } from './delivery-codec.ts'
import { type DeliveryCounters, type DeliveryState, insertReturned, removeOffsets } from './delivery-state.ts'
import { RangeMap } from './range-map.ts'
import { RecordRuns, hasGaps } from './record-runs.ts'
import { SettledSpace } from './settled-space.ts'
import { type Death, DelayedRange, DoomedRange, HeldRange, NOT_RECORDED, ReturnedRange } from './ranges.ts'

/** The mark runs at least so far ahead of the position while there are consumers with credit, and at most twice as far. */
const AHEAD_MIN = 32
/** What a change adds to a delta, about. */
const DELTA_BYTES = 128
const RUN_BYTES = 8
const DELAYED_BYTES = 24
const DOOMED_BYTES = 24

export class Cursor extends StateCell implements CommitMember, LogFollower, SnapshotSource {
  readonly log: LogTail
  readonly partition: number
  readonly owner: CursorOwner
  /** Where it began. */
  origin: number
  readonly counters: DeliveryCounters
  readonly held: RangeMap<Held> = new RangeMap()
  readonly returned: RangeMap<ReturnedRange>
  readonly delayed: RangeMap<DelayedRange>
  readonly doomedRanges: RangeMap<DoomedRange>
  position: number
  gathered = false
  /** Owned by the delivery group. */
  active = false
  /** Waits to have its dead letters moved. Owned by `DeadLetters`. */
  burying = false

  /** What `prepare` found: a run of one batch that can be delivered now. */
  sliceFirst = 0
  sliceLast = 0
  sliceAttempt = 0
  sliceBatch: StoredBatch | undefined

  readonly #shard: Shard
  #seekTimestampMs: number | undefined
  /** First deliveries are recorded below this; `mark` includes commits under way. */
  #markDurable: number
  #mark: number
  /** All below is committed. May lag behind. */
  #readable = 0
  /** The last commit that it took part in. */
  #closedIn = 0
  #changes: DeliveryChanges | undefined
  /** Counted, and not in `#changes` yet. */
  #delivered = 0
  #redelivered = 0
  /** Made on first use, like the next: most queues are idle. */
  #reads: CursorReads | undefined
  #sliceSource: ReturnedRange | undefined
  #runs: RecordRuns | undefined
  /** Of a queue; undefined for a subscription, whose log is not its own. */
  readonly #space: SettledSpace | undefined
  #closed = false

  constructor(shard: Shard, owner: CursorOwner, entity: number, partition: number, log: LogTail, state: DeliveryState) {
    super(entity, partition + 1)
    this.#shard = shard
    this.owner = owner
    this.partition = partition
    this.log = log
    this.origin = state.origin
    this.counters = state.counters
    this.returned = state.returned
    this.delayed = state.delayed
    this.doomedRanges = state.doomed
    this.#seekTimestampMs = state.seekTimestampMs
    this.#mark = state.mark
    this.#forgetBeyond(log.end)
    this.position = this.#mark
    this.#markDurable = this.#mark
    this.#space = owner.trimsLog ? new SettledSpace(shard.store, log) : undefined
    log.followers.push(this)
    this.trimmed(log.start)
    for (const range of this.delayed) this.#wait(range)
    if (this.doomedRanges.ranges > 0) owner.doomed(this)
    if (this.returned.ranges > 0 || this.position < log.end) owner.activate(this)
  }

  get closed(): boolean {
    return this.#closed
  }

  get mark(): number {
    return this.#mark
  }

  get seekTimestampMs(): number | undefined {
    return this.#seekTimestampMs
  }

  /** Messages that wait, out of those below `end`. */
  ready(end: number): number {
    return Math.max(0, end - this.position) + this.returned.offsets + this.delayed.offsets + this.doomedRanges.offsets
  }

  /** The lowest offset that is not settled. */
  floor(): number {
    let floor = this.position
    const held = this.held.first()
    if (held !== undefined && held.first < floor) floor = held.first
    const returned = this.returned.first()
    if (returned !== undefined && returned.first < floor) floor = returned.first
    const delayed = this.delayed.first()
    if (delayed !== undefined && delayed.first < floor) floor = delayed.first
    const doomed = this.doomedRanges.first()
    if (doomed !== undefined && doomed.first < floor) floor = doomed.first
    return floor
  }

  /** The place that was looked for by time is found. */
  sought(position: number): void {
    if (this.#seekTimestampMs === undefined || this.#closed) return
    this.#seekTimestampMs = undefined
    this.position = Math.max(position, this.log.start)
    this.origin = this.position
    this.#mark = this.position
    this.#markDurable = this.position
    this.#shard.stateLog.snapshot(this)
    this.owner.activate(this)
  }

  /** Forgets deliveries that were recorded ahead and not made, for an orderly end: nothing is held any more. */
  forgetAhead(): void {
    if (this.#mark > this.position) {
      this.#mark = this.position
      this.#change().rewind = this.position
    }
    for (const range of this.returned) {
      if (range.recordedIn === NOT_RECORDED) continue
      range.recordedIn = NOT_RECORDED
      this.#change().setAttempts(range.first, range.last, range.attempts)
    }
  }

  /** Takes no part in anything any more. */
  close(): void {
    this.#closed = true
    this.#reads?.clear()
    const at = this.log.followers.indexOf(this)
    if (at >= 0) this.log.followers.splice(at, 1)
  }

  // ---- delivery -----------------------------------------------------------------------------------------------------

  /** Looks for what is to be delivered next and describes it in the slice fields. @returns false when there is nothing now */
  prepare(): boolean {
    if (this.#closed || this.#seekTimestampMs !== undefined) return false
    for (;;) {
      const again = this.returned.first()
      if (again === undefined && !this.#hasNew()) {
        if (this.log.end > this.position) this.#askForCommit()
        return false
      }
      if (again !== undefined && (again.recordedIn === NOT_RECORDED || again.recordedIn > this.#shard.store.committedTicket)) {
        if (again.recordedIn === NOT_RECORDED) this.#askForCommit()
        return false
      }
      const first = again === undefined ? this.position : again.first
      const last = again === undefined ? Math.min(this.#markDurable, this.#readable) - 1 : again.last
      const batch = (this.#reads ??= this.#newReads()).at(first, again === undefined)
      if (batch === 'wait') return false
      if (batch === 'moved') continue
      if (batch === undefined || batch.baseOffset > first) {
        this.#skip(again, first, batch === undefined ? last : Math.min(last, batch.baseOffset - 1))
        continue
      }
      this.sliceFirst = first
      this.sliceLast = Math.min(last, batch.lastOffset)
      if (hasGaps(batch) && !this.#fitToRecords(again, batch)) continue
      this.sliceBatch = batch
      this.sliceAttempt = again === undefined ? 1 : again.attempts + 1
      this.#sliceSource = again
      return true
    }
  }

  /** Hands the first `count` messages of the slice to `holder`. */
  take(count: number, holder: Holder, deadlineMs: number): void {
    const first = this.sliceFirst
    const last = first + count - 1
    const again = this.#sliceSource
    if (again === undefined) this.position = last + 1
    else if (last === again.last) this.returned.remove(again)
    else this.returned.cutFront(again, last + 1)

    const attempt = this.sliceAttempt
    const newest = holder.newest
    if (
      newest !== undefined &&
      newest.origin === this &&
      newest.last === first - 1 &&
      newest.attempt === attempt &&
      newest.deadlineMs === deadlineMs
    ) {
      this.held.grow(newest, last)
    } else {
      const range: Held = new HeldRange<Holder, Cursor>(first, last, attempt, deadlineMs, holder, this)
      this.held.insert(range)
      holder.link(range)
    }
    holder.holding += count
    this.#countDelivered(count, attempt > 1)
    this.sliceBatch = undefined
    this.#reads?.passed(last + 1, again === undefined)
  }

  // ---- settling -----------------------------------------------------------------------------------------------------

  /**
   * Settles what `holder` holds of `first..last`.
   * @param attempt the number of the delivery, or 0 for any
   * @returns how many messages that were
   */
  settle(holder: Holder, first: number, last: number, outcome: Outcome, attempt: number): number {
    let settled = 0
    let range = this.held.from(first)
    while (range !== undefined && range.first <= last) {
      const from = range.first > first ? range.first : first
      const to = range.last < last ? range.last : last
      if (range.holder === holder && (attempt === 0 || attempt === range.attempt)) {
        settled += to - from + 1
        const made = range.attempt
        this.#carve(range, from, to)
        if (outcome.kind === 'ack') this.#ack(from, to)
        else if (outcome.kind === 'nack') this.#nack(from, to, made, outcome)
        else this.#doom(from, to, made, 'rejected', outcome.reason ?? '')
      }
      if (to === last) break
      range = this.held.from(to + 1)
    }
    return settled
  }

  /**
   * Takes a whole range back from its holder.
   * @param death what it dies of if that was the last attempt; undefined when the holder is not to blame
   */
  takeBack(range: Held, death: Death | undefined): void {
    this.#carve(range, range.first, range.last)
    if (death === undefined) this.#return(range.first, range.last, range.attempt, 0, false)
    else this.#handBack(range.first, range.last, range.attempt, death, '', 0)
  }

  /** Extends the lease of what `holder` holds of `first..last`. @returns how many messages that were */
  extend(holder: Holder, first: number, last: number, deadlineMs: number): number {
    let extended = 0
    let range = this.held.from(first)
    while (range !== undefined && range.first <= last) {
      const from = Math.max(range.first, first)
      const to = Math.min(range.last, last)
      if (range.holder === holder) {
        extended += to - from + 1
        const attempt = range.attempt
        this.#carve(range, from, to)
        const longer: Held = new HeldRange<Holder, Cursor>(from, to, attempt, deadlineMs, holder, this)
        this.held.insert(longer)
        holder.link(longer)
        holder.holding += to - from + 1
      }
      range = this.held.from(to + 1)
    }
    return extended
  }

  /** The dead letter of `first..last` was written, or is dropped: in the open commit. */
  buried(range: DoomedRange, last: number, kind: 'deadLettered' | 'dropped'): void {
    const first = range.first
    if (last === range.last) this.doomedRanges.remove(range)
    else this.doomedRanges.cutFront(range, last + 1)
    this.#settled(first, last)
    this.#count(kind, last - first + 1)
  }

  /** The dead letters cannot take it: it stays here. */
  spared(range: DoomedRange): void {
    this.doomedRanges.remove(range)
    insertReturned(this.returned, range.first, range.last, range.attempts)
    this.#change().setAttempts(range.first, range.last, range.attempts)
    this.#shard.store.touch()
    this.owner.activate(this)
  }

  // ---- what others tell it ------------------------------------------------------------------------------------------

  appended(): void {
    this.owner.activate(this)
    if (this.owner.hasCredit) this.#shard.cycle.gather(this)
  }

  trimmed(start: number): void {
    if (this.position < start) this.position = start
    if (this.#mark < start) this.#mark = start
    if (this.#markDurable < start) this.#markDurable = start
    removeOffsets(this.returned, 0, start - 1, (range, from, to) => new ReturnedRange(from, to, range.attempts, range.recordedIn))
    removeOffsets(this.delayed, 0, start - 1, (range, from, to) => new DelayedRange(from, to, range.attempts, range.dueMs))
    removeOffsets(this.doomedRanges, 0, start - 1, copyDoomed)
  }

  compacted(): void {
    this.#reads?.clear()
  }

  /** The delay of a range has run out. */
  delayEnded(range: DelayedRange): void {
    if (this.#closed || this.delayed.from(range.first) !== range) return
    this.delayed.remove(range)
    insertReturned(this.returned, range.first, range.last, range.attempts)
    this.owner.activate(this)
  }

  // ---- commits ------------------------------------------------------------------------------------------------------

  closing(ticket: Ticket): number {
    if (this.#closed) return 0
    this.#closedIn = ticket
    if (this.owner.hasCredit) this.#recordAhead(ticket)
    this.writeEarly()
    return this.#mark
  }

  writeEarly(): void {
    const changes = this.#changes
    if (changes === undefined || this.#closed) return
    changes.counters.delivered += this.#delivered
    changes.counters.redelivered += this.#redelivered
    this.#delivered = 0
    this.#redelivered = 0
    this.#shard.stateLog.delta(this, (out) => writeDelta(out, changes))
    if (changes.settled.length > 0) this.#space?.giveBack(this)
    this.#changes = undefined
    changes.clear()
    this.#shard.changes.push(changes)
  }

  committed(mark: number): void {
    if (this.#closed) return
    if (mark > this.#markDurable) this.#markDurable = mark
    this.owner.activate(this)
  }

  writeSnapshot(out: ByteWriter, start: number): number | undefined {
    if (start === 0) {
      // The snapshot counts them.
      this.#delivered = 0
      this.#redelivered = 0
    }
    return writeSnapshotPart(out, this, start)
  }

  outstandingFrom(offset: number): Outstanding | undefined {
    const held = this.held.from(offset)
    const returned = this.returned.from(offset)
    const delayed = this.delayed.from(offset)
    const doomed = this.doomedRanges.from(offset)
    const nearest = Math.min(
      held?.first ?? Infinity,
      returned?.first ?? Infinity,
      delayed?.first ?? Infinity,
      doomed?.first ?? Infinity,
    )
    if (nearest === Infinity) {
      const first = Math.max(offset, this.position)
      return first < this.#mark ? { first, last: this.#mark - 1, attempts: 1 } : undefined
    }
    if (held?.first === nearest) return { first: held.first, last: held.last, attempts: held.attempt }
    if (returned?.first === nearest) {
      const recorded = returned.recordedIn === NOT_RECORDED ? 0 : 1
      return { first: returned.first, last: returned.last, attempts: returned.attempts + recorded }
    }
    return delayed?.first === nearest ? delayed : doomed
  }

  lastOutstandingBefore(offset: number): number {
    return Math.max(
      this.held.before(offset)?.last ?? -1,
      this.returned.before(offset)?.last ?? -1,
      this.delayed.before(offset)?.last ?? -1,
      this.doomedRanges.before(offset)?.last ?? -1,
    )
  }

  // ---- inside -------------------------------------------------------------------------------------------------------

  /** Whether the next new message is committed, and its delivery recorded. */
  #hasNew(): boolean {
    if (this.position >= this.#markDurable) return false
    if (this.position < this.#readable) return true
    this.#readable = this.#shard.store.bounds(this.log.id).end
    return this.position < this.#readable
  }

  /** The mark was recorded beyond the end of the log as it is now. */
  #forgetBeyond(end: number): void {
    if (this.#mark <= end) return
    this.#mark = end
    this.#change().rewind = end
    removeOffsets(this.returned, end, Number.MAX_SAFE_INTEGER, (range, from, to) => new ReturnedRange(from, to, range.attempts))
  }

  /** There is something to record, or to wait for, unless a commit is under way that will say so. */
  #askForCommit(): void {
    if (this.#closedIn > this.#shard.store.committedTicket) return
    this.#shard.cycle.gather(this)
    this.#shard.store.touch()
  }

  /** Records the deliveries that are likely to be made before the next commit. */
  #recordAhead(ticket: Ticket): void {
    const wanted = Math.max(this.owner.credit(), AHEAD_MIN)
    let ahead = 2 * wanted
    const { cycle } = this.#shard
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
        this.#change().setAttempts(range.first, range.last, range.attempts + 1)
      }
      ahead -= range.last - range.first + 1
    }
    if (ahead <= 0 || this.#seekTimestampMs !== undefined) return
    // Far enough beyond the end that a trickle of messages needs no mark of its own for each of them.
    if (this.#mark >= this.position + wanted) return
    this.#mark = this.position + ahead
    this.#change().mark = this.#mark
  }

  #newReads(): CursorReads {
    return new CursorReads(this.#shard, this.owner, this.log, () => this.#loaded())
  }

  #loaded(): void {
    if (this.#closed) {
      this.close()
      return
    }
    this.owner.activate(this)
    this.#shard.dispatcher.run()
  }

  /** `first..last` holds no records: compaction removed them. */
  #skip(again: ReturnedRange | undefined, first: number, last: number): void {
    if (again === undefined) this.position = last + 1
    else if (last === again.last) this.returned.remove(again)
    else this.returned.cutFront(again, last + 1)
    this.#change().settle(first, last)
  }

  /** Shortens the slice to a run of offsets that have records. @returns false when it begins where there is none */
  #fitToRecords(again: ReturnedRange | undefined, batch: StoredBatch): boolean {
    const runs = (this.#runs ??= new RecordRuns())
    const first = runs.seek(batch, this.sliceFirst)
    if (first > this.sliceFirst) {
      this.#skip(again, this.sliceFirst, Math.min(first - 1, this.sliceLast))
      return false
    }
    this.sliceLast = Math.min(this.sliceLast, runs.last)
    return true
  }

  /** Takes `from..to` out of a held range. */
  #carve(range: Held, from: number, to: number): void {
    range.holder.holding -= to - from + 1
    if (from === range.first && to === range.last) {
      this.held.remove(range)
      range.holder.unlink(range)
    } else if (from === range.first) this.held.cutFront(range, to + 1)
    else {
      const end = range.last
      this.held.cutBack(range, from - 1)
      if (to === end) return
      const tail: Held = new HeldRange<Holder, Cursor>(to + 1, end, range.attempt, range.deadlineMs, range.holder, this)
      this.held.insert(tail)
      range.holder.link(tail, range)
    }
  }

  #ack(first: number, last: number): void {
    this.#settled(first, last)
    this.#count('acked', last - first + 1)
  }

  #nack(first: number, last: number, attempt: number, outcome: Outcome & { kind: 'nack' }): void {
    const delayMs = Math.min(outcome.delayMs ?? 0, NACK_DELAY_MS_MAX)
    if (outcome.uncounted === true) this.#return(first, last, attempt - 1, delayMs, true)
    else this.#handBack(first, last, attempt, 'max-attempts', outcome.error ?? '', delayMs)
  }

  #handBack(first: number, last: number, attempts: number, death: Death, error: string, delayMs: number): void {
    if (attempts >= this.owner.maxAttempts) this.#doom(first, last, attempts, death, error)
    else this.#return(first, last, attempts, delayMs, false)
  }

  #return(from: number, last: number, attempts: number, delayMs: number, corrected: boolean): void {
    const first = this.#dropTrimmed(from, last)
    if (first > last) return
    if (delayMs > 0) {
      const range = new DelayedRange(first, last, attempts, Math.ceil(this.#shard.platform.clock.nowMs() + delayMs))
      this.delayed.insert(range)
      this.#change(DELAYED_BYTES).delayed.push(range)
      this.#wait(range)
      return
    }
    insertReturned(this.returned, first, last, attempts)
    if (corrected) this.#change(RUN_BYTES).setAttempts(first, last, attempts)
    this.owner.activate(this)
  }

  #doom(from: number, last: number, attempts: number, death: Death, error: string): void {
    const first = this.#dropTrimmed(from, last)
    if (first > last) return
    const range = new DoomedRange(first, last, attempts, death, error.slice(0, ERROR_TEXT_CHARACTERS_MAX))
    this.doomedRanges.insert(range)
    // A copy: the range shrinks as it is moved.
    this.#change(DOOMED_BYTES + 3 * range.error.length).doomed.push(copyDoomed(range, first, last))
    this.owner.doomed(this)
  }

  /** What retention removed while it was held does not come back. @returns the first offset that is still there */
  #dropTrimmed(first: number, last: number): number {
    if (first >= this.log.start) return first
    const end = Math.min(last, this.log.start - 1)
    this.#settled(first, end)
    this.#count('dropped', end - first + 1)
    return end + 1
  }

  #settled(first: number, last: number): void {
    this.#change(RUN_BYTES).settle(first, last)
    this.#space?.settled(first, last)
  }

  #wait(range: DelayedRange): void {
    const clock = this.#shard.platform.clock
    this.#shard.timers.add(clock.monotonicMs() + Math.max(0, range.dueMs - clock.nowMs()), new DelayEnd(this, range))
  }

  /** @param bytes about what the change adds to the next delta */
  #change(bytes: number = 0): DeliveryChanges {
    const { cycle } = this.#shard
    if (this.#changes === undefined) {
      this.#changes = this.#shard.changes.pop() ?? new DeliveryChanges()
      cycle.gather(this)
      cycle.gatheredBytes += DELTA_BYTES
    }
    cycle.gatheredBytes += bytes
    return this.#changes
  }

  /** Goes into the next delta that is written for another reason: a commit for a counter alone is not worth it. */
  #countDelivered(messages: number, again: boolean): void {
    const { totals } = this.#shard
    this.#delivered += messages
    this.counters.delivered += messages
    totals.delivered += messages
    if (!again) return
    this.#redelivered += messages
    this.counters.redelivered += messages
    totals.redelivered += messages
  }

  #count(what: keyof DeliveryCounters, messages: number): void {
    this.#change().counters[what] += messages
    this.counters[what] += messages
    this.#shard.totals[what] += messages
  }
}

/** Wakes a cursor when a delay ends; the range may be gone by then. */
class DelayEnd implements Deadline {
  readonly #cursor: Cursor
  readonly #range: DelayedRange

  constructor(cursor: Cursor, range: DelayedRange) {
    this.#cursor = cursor
    this.#range = range
  }

  due(): void {
    this.#cursor.delayEnded(this.#range)
  }
}

function copyDoomed(range: DoomedRange, first: number, last: number): DoomedRange {
  return new DoomedRange(first, last, range.attempts, range.death, range.error)
}
