/**
 * The delivery state of one log for one queue or subscription, and how it changes. Offsets below `position` that are in none of the
 * maps are settled; those from `position` on were not delivered in this life of the broker. Nothing is kept per message of a backlog.
 */
// hot path (packages/broker/test/core/throughput.mjs)
import type { Ticket } from '../../storage/log-store.ts'
import type { CommitMember } from '../commit-cycle.ts'
import { ERROR_TEXT_CHARACTERS_MAX } from '../limits.ts'
import type { LogTail } from '../log-tail.ts'
import type { Shard } from '../shard.ts'
import type { ByteWriter } from '../state/bytes.ts'
import { StateCell } from '../state/state-log.ts'
import type { Deadline } from '../timers.ts'
import type { CursorOwner, Held } from './cursor-owner.ts'
import { DeliveryChanges } from './delivery-changes.ts'
import { type Outstanding, type SnapshotSource, writeDelta, writeSnapshotPart } from './delivery-codec.ts'
import { type DeliveryCounters, type DeliveryState, insertDoomed, insertReturned, removeOffsets } from './delivery-state.ts'
import { KeyTurns } from './key-turns.ts'
import { floorOf, lastOutstandingBefore, outstandingFrom } from './outstanding.ts'
import { isLastAttempt, type OwnRetry } from './own-retry.ts'
import { type OffsetRange, RangeMap } from './range-map.ts'
import { type Death, DelayedRange, DoomedRange, NOT_RECORDED, RECORDED, ReturnedRange } from './ranges.ts'
import { SettledSpace } from './settled-space.ts'

/** What a change adds to a delta, about. */
const DELTA_BYTES = 128
const RUN_BYTES = 8
const DELAYED_BYTES = 24
const DOOMED_BYTES = 24

export abstract class CursorState extends StateCell implements CommitMember, SnapshotSource {
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

  protected readonly shard: Shard
  /** The timestamp of the place that is still being looked for. */
  protected seekingMs: number | undefined
  /** First deliveries are recorded below this; `markAhead` includes commits under way. */
  protected markDurable: number
  protected markAhead: number
  /** With an order by key. */
  protected readonly turns: KeyTurns | undefined
  protected isClosed = false
  #changes: DeliveryChanges | undefined
  /** Counted, and not in `#changes` yet. */
  #delivered = 0
  #redelivered = 0
  /** Of a queue; undefined for a subscription, whose log is not its own. */
  readonly #space: SettledSpace | undefined

  constructor(shard: Shard, owner: CursorOwner, entity: number, partition: number, log: LogTail, state: DeliveryState) {
    super(entity, partition + 1)
    this.shard = shard
    this.owner = owner
    this.partition = partition
    this.log = log
    this.origin = state.origin
    this.counters = state.counters
    this.returned = state.returned
    this.delayed = state.delayed
    this.doomedRanges = state.doomed
    this.seekingMs = state.seekTimestampMs
    this.markAhead = state.mark
    this.#forgetBeyond(log.end)
    this.position = this.markAhead
    this.markDurable = this.markAhead
    this.turns = owner.order === 'key' ? new KeyTurns() : undefined
    this.#space = owner.trimsLog ? new SettledSpace(shard.store, log) : undefined
    for (const range of this.delayed) this.#wait(range)
  }

  abstract closing(ticket: Ticket): number
  abstract committed(figure: number): void
  /** There may be something to deliver. */
  protected abstract activate(): void
  /** There is something to move to the dead letters. */
  protected abstract tellDoomed(): void

  get closed(): boolean {
    return this.isClosed
  }

  /** Messages that wait for others with their keys. */
  get blocked(): RangeMap<ReturnedRange> | undefined {
    return this.turns?.blocked
  }

  get mark(): number {
    return this.markAhead
  }

  get seekTimestampMs(): number | undefined {
    return this.seekingMs
  }

  /** Messages that wait, out of those below `end`. */
  ready(end: number): number {
    const { returned, delayed, doomedRanges, blocked } = this
    const back = returned.offsets + delayed.offsets + doomedRanges.offsets + (blocked?.offsets ?? 0)
    return Math.max(0, end - this.position) + back
  }

  floor(): number {
    return floorOf(this)
  }

  /** Forgets deliveries that were recorded ahead and not made, for an orderly end: nothing is held any more. */
  forgetAhead(): void {
    if (this.markAhead > this.position) {
      this.markAhead = this.position
      this.change().rewind = this.position
    }
    for (const range of this.returned) {
      if (range.recordedIn === NOT_RECORDED) continue
      range.recordedIn = NOT_RECORDED
      this.change().setAttempts(range.first, range.last, range.attempts)
    }
    for (let range = this.blocked?.first(); range !== undefined; range = this.blocked!.first()) {
      this.change().setAttempts(range.first, range.last, range.attempts)
      this.blocked!.remove(range)
      insertReturned(this.returned, range.first, range.last, range.attempts)
    }
  }

  /** The dead letter of `first..last` was written, or is dropped: in the open commit. */
  buried(range: DoomedRange, last: number, kind: 'deadLettered' | 'dropped'): void {
    const first = range.first
    if (last === range.last) this.doomedRanges.remove(range)
    else this.doomedRanges.cutFront(range, last + 1)
    this.settled(first, last)
    this.count(kind, last - first + 1)
  }

  /** The dead letters cannot take it: it stays here. */
  spared(range: DoomedRange): void {
    this.doomedRanges.remove(range)
    insertReturned(this.returned, range.first, range.last, range.attempts)
    this.change().setAttempts(range.first, range.last, range.attempts)
    this.shard.store.touch()
    this.activate()
  }

  /** `first..last` of a doomed range cannot be moved, and must not be delivered. */
  parked(range: DoomedRange, last: number): void {
    const parked = copyDoomed(range, range.first, last)
    parked.parked = true
    if (last === range.last) this.doomedRanges.remove(range)
    else this.doomedRanges.cutFront(range, last + 1)
    insertDoomed(this.doomedRanges, parked)
  }

  trimmed(start: number): void {
    if (this.position < start) this.position = start
    if (this.markAhead < start) this.markAhead = start
    if (this.markDurable < start) this.markDurable = start
    removeOffsets(this.returned, 0, start - 1, (range, from, to) => new ReturnedRange(from, to, range.attempts, range.recordedIn))
    removeOffsets(this.delayed, 0, start - 1, copyDelayed)
    removeOffsets(this.doomedRanges, 0, start - 1, copyDoomed)
    for (const { first, attempts } of this.turns?.trimmed(start) ?? []) this.unblock(first, attempts)
  }

  /** The delay of a range has run out. */
  delayEnded(range: DelayedRange): void {
    if (this.isClosed || this.delayed.from(range.first) !== range) return
    this.delayed.remove(range)
    insertReturned(this.returned, range.first, range.last, range.attempts)
    this.activate()
  }

  writeEarly(): void {
    const changes = this.#changes
    if (changes === undefined || this.isClosed) return
    changes.counters.delivered += this.#delivered
    changes.counters.redelivered += this.#redelivered
    this.#delivered = 0
    this.#redelivered = 0
    this.shard.stateLog.delta(this, (out) => writeDelta(out, changes))
    if (changes.settled.length > 0) this.#space?.giveBack(this)
    this.#changes = undefined
    changes.clear()
    this.shard.changes.push(changes)
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
    return outstandingFrom(this, offset)
  }

  lastOutstandingBefore(offset: number): number {
    return lastOutstandingBefore(this, offset)
  }

  // ---- what leaves without a consumer: redrive, expiry, purge, limits ----------------------------------------------

  /**
   * The first run of messages from `offset` on, and below `end`, that nobody holds and that do not wait for a time. Of one number of attempts.
   * @param all also those that wait for others with their keys, or that the dead letters could not take
   */
  readyFrom(offset: number, end: number, all: boolean = false): OffsetRange | undefined {
    if (this.isClosed || this.seekingMs !== undefined) return undefined
    let found: OffsetRange = { first: Math.max(offset, this.position), last: Infinity }
    const again = this.returned.from(offset)
    if (again !== undefined && again.first < found.first) found = again
    const parked = all ? this.#parkedFrom(offset) : undefined
    if (parked !== undefined && parked.first < found.first) found = parked
    const blocked = all ? this.blocked?.from(offset) : undefined
    if (blocked !== undefined && blocked.first < found.first) found = blocked
    const first = Math.max(found.first, offset)
    return first < end ? { first, last: Math.min(found.last, end - 1) } : undefined
  }

  /** `first..last` of what `readyFrom` found is done, in the open commit. */
  takeOut(first: number, last: number, kind?: 'dropped'): void {
    this.#pull(first, last)
    this.settled(first, last)
    if (kind !== undefined) this.count(kind, last - first + 1)
    this.shard.store.touch()
  }

  /** All that is committed and waits for no time dies, as what no consumer took. */
  expireReady(): void {
    const { end } = this.shard.store.bounds(this.log.id)
    for (let ready = this.readyFrom(0, end); ready !== undefined; ready = this.readyFrom(ready.last + 1, end)) {
      this.die(ready.first, ready.last, 'expired')
      this.shard.cycle.bound()
    }
  }

  /** `first..last` of what `readyFrom` found go to the dead letters, or nowhere. */
  die(first: number, last: number, death: Death): void {
    if (this.owner.deadLetter === undefined) {
      this.takeOut(first, last, 'dropped')
      return
    }
    const again = this.returned.from(first)
    this.#pull(first, last)
    this.doom(first, last, again !== undefined && again.first <= first ? again.attempts : 0, death, '')
    this.shard.store.touch()
  }

  /** Drops all below `end` that is committed and not held. @returns how many messages that were */
  purge(end: number): number {
    const purged = this.#takeOutBefore(Math.min(end, this.shard.store.bounds(this.log.id).end))
    this.count('dropped', purged)
    return purged
  }

  /** Of what nobody holds, all below `offset` is done, and what was settled from there on is not any more. */
  protected rearrange(offset: number): void {
    // In a delta what was settled before counts more.
    this.writeEarly()
    this.#takeOutBefore(offset)
    for (let at = offset; at < this.position;) {
      const next = this.outstandingFrom(at)
      const last = Math.min(next?.first ?? Infinity, this.position) - 1
      if (last >= at) {
        insertReturned(this.returned, at, last, 0)
        this.change(RUN_BYTES).setAttempts(at, last, 0)
      }
      at = Math.max(last, next?.last ?? last) + 1
    }
  }

  /** What is below `end`, and nobody holds, is done. @returns how many messages that were */
  #takeOutBefore(end: number): number {
    let purged = 0
    for (let range = this.delayed.first(); range !== undefined && range.first < end; range = this.delayed.first()) {
      const last = Math.min(range.last, end - 1)
      purged += last - range.first + 1
      const { first } = range
      removeOffsets(this.delayed, first, last, copyDelayed)
      this.settled(first, last)
    }
    for (let ready = this.readyFrom(0, end, true); ready !== undefined; ready = this.readyFrom(ready.first, end, true)) {
      purged += ready.last - ready.first + 1
      this.takeOut(ready.first, ready.last)
      this.shard.cycle.bound()
    }
    return purged
  }

  // ---- changes -----------------------------------------------------------------------------------------------------

  /** It is the turn of a message that waited for one with its key. */
  protected unblock(offset: number, attempts: number): void {
    // One that was never delivered lies below the mark: its first delivery is recorded.
    insertReturned(this.returned, offset, offset, attempts, attempts === 0 ? RECORDED : NOT_RECORDED)
    this.activate()
  }

  /** Their keys are free. */
  protected release(first: number, last: number): void {
    if (this.turns === undefined) return
    for (let offset = first; offset <= last; offset++) {
      const next = this.turns.settled(offset)
      if (next >= 0) this.unblock(next, this.turns.freedAttempts)
    }
  }

  /** The mark was recorded beyond the end of the log as it is now. */
  #forgetBeyond(end: number): void {
    if (this.markAhead <= end) return
    this.markAhead = end
    this.change().rewind = end
    removeOffsets(this.returned, end, Number.MAX_SAFE_INTEGER, (range, from, to) => new ReturnedRange(from, to, range.attempts))
  }

  #parkedFrom(offset: number): DoomedRange | undefined {
    let range = this.doomedRanges.from(offset)
    while (range !== undefined && !range.parked) range = this.doomedRanges.from(range.last + 1)
    return range
  }

  /** Takes `first..last` away from those that can be delivered. New ones that it leaves behind keep their place. */
  #pull(first: number, last: number): void {
    if (last >= this.position) {
      const skipped = this.position
      this.position = last + 1
      if (this.markAhead < this.position) {
        this.markAhead = this.position
        this.change().mark = this.markAhead
      }
      if (skipped < first) {
        insertReturned(this.returned, skipped, first - 1, 0)
        this.change(RUN_BYTES).setAttempts(skipped, first - 1, 0)
      }
    }
    removeOffsets(this.returned, first, last, (range, from, to) => new ReturnedRange(from, to, range.attempts, range.recordedIn))
    if (this.doomedRanges.ranges > 0) removeOffsets(this.doomedRanges, first, last, copyParked)
  }

  /** @param retry what the messages say themselves, which counts more than what the queue says */
  protected handBack(
    first: number,
    last: number,
    attempts: number,
    death: Death,
    error: string,
    delayMs: number,
    retry: OwnRetry | undefined,
  ): void {
    const isLast = (retry === undefined ? undefined : isLastAttempt(retry)) ?? attempts >= this.owner.maxAttempts
    if (isLast) this.doom(first, last, attempts, death, error)
    else this.giveBack(first, last, attempts, delayMs, false)
  }

  protected giveBack(from: number, last: number, attempts: number, delayMs: number, corrected: boolean): void {
    const first = this.#dropTrimmed(from, last)
    if (first > last) return
    if (delayMs > 0) {
      const range = new DelayedRange(first, last, attempts, Math.ceil(this.shard.platform.clock.nowMs() + delayMs))
      this.delayed.insert(range)
      this.change(DELAYED_BYTES).delayed.push(range)
      this.#wait(range)
      this.shard.store.touch()
      return
    }
    insertReturned(this.returned, first, last, attempts)
    if (corrected) this.change(RUN_BYTES).setAttempts(first, last, attempts)
    this.activate()
  }

  protected doom(from: number, last: number, attempts: number, death: Death, error: string): void {
    const first = this.#dropTrimmed(from, last)
    if (first > last) return
    const range = new DoomedRange(first, last, attempts, death, error.slice(0, ERROR_TEXT_CHARACTERS_MAX))
    insertDoomed(this.doomedRanges, range)
    // A copy: the range shrinks as it is moved.
    this.change(DOOMED_BYTES + 3 * range.error.length).doomed.push(copyDoomed(range, first, last))
    this.release(first, last)
    this.tellDoomed()
  }

  /** What retention removed while it was held does not come back. @returns the first offset that is still there */
  #dropTrimmed(first: number, last: number): number {
    if (first >= this.log.start) return first
    const end = Math.min(last, this.log.start - 1)
    this.settled(first, end)
    this.count('dropped', end - first + 1)
    return end + 1
  }

  protected settled(first: number, last: number): void {
    this.change(RUN_BYTES).settle(first, last)
    this.#space?.settled(first, last)
    this.release(first, last)
  }

  #wait(range: DelayedRange): void {
    const clock = this.shard.platform.clock
    this.shard.timers.add(clock.monotonicMs() + Math.max(0, range.dueMs - clock.nowMs()), new DelayEnd(this, range))
  }

  /** @param bytes about what the change adds to the next delta */
  protected change(bytes: number = 0): DeliveryChanges {
    const { cycle } = this.shard
    if (this.#changes === undefined) {
      this.#changes = this.shard.changes.pop() ?? new DeliveryChanges()
      cycle.gather(this)
      cycle.gatheredBytes += DELTA_BYTES
    }
    cycle.gatheredBytes += bytes
    return this.#changes
  }

  /** Goes into the next delta that is written for another reason: a commit for a counter alone is not worth it. */
  protected countDelivered(messages: number, again: boolean): void {
    const { totals } = this.shard
    this.#delivered += messages
    this.counters.delivered += messages
    totals.delivered += messages
    if (!again) return
    this.#redelivered += messages
    this.counters.redelivered += messages
    totals.redelivered += messages
  }

  protected count(what: keyof DeliveryCounters, messages: number): void {
    this.change().counters[what] += messages
    this.counters[what] += messages
    this.shard.totals[what] += messages
  }
}

/** Wakes a cursor when a delay ends; the range may be gone by then. */
class DelayEnd implements Deadline {
  readonly #cursor: CursorState
  readonly #range: DelayedRange

  constructor(cursor: CursorState, range: DelayedRange) {
    this.#cursor = cursor
    this.#range = range
  }

  due(): void {
    this.#cursor.delayEnded(this.#range)
  }
}

function copyDelayed(range: DelayedRange, first: number, last: number): DelayedRange {
  return new DelayedRange(first, last, range.attempts, range.dueMs)
}

function copyParked(range: DoomedRange, first: number, last: number): DoomedRange {
  const copy = copyDoomed(range, first, last)
  copy.parked = range.parked
  return copy
}

function copyDoomed(range: DoomedRange, first: number, last: number): DoomedRange {
  return new DoomedRange(first, last, range.attempts, range.death, range.error)
}
