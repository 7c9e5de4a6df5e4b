/**
 * Publishes batches later. Each waits in the log of a slot, a stretch of time; slots are split into finer ones as they come near,
 * and the finest are loaded, sorted and published. See README.md.
 */
import { batchMaxTimestampMs, batchRecordCount, namesProducer } from '@millrace/wire'
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import { batchWithout } from '../dedup/batch-without.ts'
import type { Task } from '../dispatcher.ts'
import type { ScheduleHome } from './schedule-home.ts'
import type { Deadline } from '../timers.ts'
import type { Loaded } from './due-heap.ts'
import { ENTRY_BYTES } from './entry.ts'
import { LOADED_BYTES_MAX, LOADED_OVERLOAD_FACTOR, LOOK_MS, SHARE_BYTES_MAX, SHARE_ENTRIES_MAX } from './limits.ts'
import { laterBatch, laterLives } from './later-batch.ts'
import { Loader } from './loader.ts'
import { ScheduleCell } from './schedule-cell.ts'
import type { PreparedPublish, ScheduleTarget } from './schedule-target.ts'
import type { ScheduleState } from './schedule-state.ts'
import { HORIZON_MS } from './slot-times.ts'
import { type Slot, Slots } from './slots.ts'
import { Splitter } from './splitter.ts'

/** The id of what was published at once. */
const NOT_SCHEDULED = 0
/** Room for the change of state that goes with a batch. */
const STATE_BYTES = 128

export class Schedule implements Task, Deadline {
  queued = false
  readonly cell: ScheduleCell
  readonly #shard: ScheduleHome
  readonly #state: ScheduleState
  readonly #loadedBytesMax: number
  readonly #slots: Slots
  readonly #loader: Loader
  readonly #splitter: Splitter
  /** By entity. */
  readonly #targets = new Map<number, ScheduleTarget>()
  /** Monotonic time for which it waits in the timers; Infinity while it does not. */
  #wakesAtMs = Infinity

  /** @param state as a restart found it; owned from here on */
  constructor(shard: ScheduleHome, state: ScheduleState, loadedBytesMax: number = LOADED_BYTES_MAX) {
    this.#shard = shard
    this.#state = state
    this.#loadedBytesMax = loadedBytesMax
    this.cell = new ScheduleCell(shard, state)
    this.#slots = new Slots(shard, this.cell)
    const again = (): void => {
      shard.dispatcher.wake(this)
      shard.dispatcher.run()
    }
    this.#loader = new Loader(shard, state.ids, loadedBytesMax, again)
    this.#splitter = new Splitter(shard, state.ids, this.#slots, this.#loader, again)
    for (const slot of state.slots.values()) this.#slots.restore(slot)
    shard.store.onRelief(() => shard.dispatcher.wake(this))
  }

  /** Begins to publish: all targets are known. What was for others is gone. */
  start(): void {
    const entities = [...this.#state.ids.targets.keys()]
    for (const entity of entities) {
      if (this.#targets.has(entity)) continue
      this.#shard.warn(`${this.cell.removeTarget(entity)} scheduled messages were for a queue or exchange that a restart ended`)
    }
    if (this.#slots.size > 0) this.#shard.dispatcher.wake(this)
  }

  /** Tells what an entity of the state log is. */
  restoreTarget(target: ScheduleTarget): void {
    if (this.#state.ids.targets.has(target.entity)) this.#targets.set(target.entity, target)
  }

  /**
   * Publishes a batch that the target has checked, once the wall clock reaches `dueMs`.
   * @returns the id of the first message; the others follow; NOT_SCHEDULED when it was published at once
   * @throws `bad_request`, and what `publish` throws
   */
  add(target: ScheduleTarget, partition: number, batch: Uint8Array, dueMs: number): number {
    const { store, platform, cycle, crc32c } = this.#shard
    const nowMs = platform.clock.nowMs()
    const due = checkDue(dueMs, nowMs)
    // Whoever states a time that has passed is told so where it is stated. What arrives here late was stated in time: it was sent again after
    // a lost connection, waited for room, or comes from a copy of what was published elsewhere. To refuse it would be to lose it.
    if (due <= nowMs) {
      target.publish(partition, batch)
      return NOT_SCHEDULED
    }
    this.#checkMayWait(batch)
    // Its age counts from when it appears: retention and expiry must not end it before anybody has seen it.
    const dated = laterBatch(batch, due - batchMaxTimestampMs(batch), crc32c)
    store.reserve(bytesOf(dated))
    const id = this.#append(target, partition, dated, due, nowMs)
    cycle.bound()
    // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
    store.touch()
    return id
  }

  /**
   * Gets ready to publish a batch after `delayMs` from now on, of which its publisher does not know: what messages have to live counts from then as well.
   * @param batch not compressed
   * @param delayMs more than 0
   * @throws as `add`
   */
  prepareDelay(target: ScheduleTarget, partition: number, batch: Uint8Array, delayMs: number): PreparedPublish {
    const { platform, crc32c } = this.#shard
    const nowMs = platform.clock.nowMs()
    const due = checkDue(nowMs + Math.max(delayMs, 1), nowMs)
    this.#checkMayWait(batch)
    const dated = laterLives(batch, due - batchMaxTimestampMs(batch), crc32c)
    return { bytes: bytesOf(dated), append: () => void this.#append(target, partition, dated, due, nowMs) }
  }

  /** @throws `bad_request`, `overloaded` */
  #checkMayWait(batch: Uint8Array): void {
    if (namesProducer(batch)) {
      throw new MillraceError(
        'bad_request',
        'a batch of an idempotent producer cannot be scheduled: its sequence is checked when it arrives. Send it without producer',
      )
    }
    if (this.#loader.bytes > LOADED_OVERLOAD_FACTOR * this.#loadedBytesMax) {
      throw new MillraceError(
        'overloaded',
        'more messages are due soon than the broker keeps in memory: schedule fewer at a time',
      )
    }
  }

  /** There is room for `bytesOf` in the open commit. @returns the id of the first message */
  #append(target: ScheduleTarget, partition: number, batch: Uint8Array, dueMs: number, nowMs: number): number {
    const messages = batchRecordCount(batch)
    const id = this.cell.give(target.entity, messages)
    this.#targets.set(target.entity, target)
    this.#splitter.append(this.#slots.place(dueMs, nowMs), [{ dueMs, id, messages, partition, batch }])
    this.#wakeAt(dueMs, nowMs)
    return id
  }

  /** @returns whether it was pending: then it is never delivered */
  cancel(id: number): boolean {
    if (!Number.isSafeInteger(id) || this.cell.remove(id, id) === 0) return false
    this.#shard.cycle.bound()
    this.#shard.store.touch()
    return true
  }

  /** The topic or queue that a pending message is for. */
  targetOf(id: number): ScheduleTarget | undefined {
    const owner = Number.isSafeInteger(id) && this.#state.ids.has(id) ? this.#state.ids.targetOf(id) : undefined
    return owner === undefined ? undefined : this.#targets.get(owner.entity)
  }

  /** Messages that wait, for one target or in all. */
  pending(target?: ScheduleTarget): number {
    const { ids } = this.#state
    return target === undefined ? ids.pending : (ids.targets.get(target.entity)?.pending ?? 0)
  }

  /** What was scheduled for it goes with it. */
  targetDeleted(target: ScheduleTarget): void {
    this.#targets.delete(target.entity)
    const lost = this.cell.removeTarget(target.entity)
    if (lost === 0) return
    this.#shard.warn(`${target.address} was deleted with ${lost} scheduled messages`)
  }

  // ---- work -----------------------------------------------------------------------------------------------------------

  due(): void {
    this.#wakesAtMs = Infinity
    this.#shard.dispatcher.wake(this)
    this.#shard.dispatcher.run()
  }

  work(): boolean {
    const { store, cycle } = this.#shard
    // Relief wakes it.
    if (!store.acceptsPublishes || store.pendingBytes > store.limits.pendingBytesHigh) return false
    const nowMs = this.#shard.platform.clock.nowMs()
    const again = this.#publishDue(nowMs) || this.#prepare(nowMs)
    cycle.bound()
    if (!again) this.#sleep(nowMs)
    return again
  }

  /** @returns whether there is more that is due */
  #publishDue(nowMs: number): boolean {
    const loader = this.#loader
    const untilMs = Math.min(nowMs + 1, this.#readyBelowMs(nowMs))
    let bytes = 0
    for (let n = 0; n < SHARE_ENTRIES_MAX && bytes < SHARE_BYTES_MAX; n++) {
      const entry = loader.heap.peek()
      if (entry === undefined || entry.dueMs >= untilMs) return false
      this.#publish(entry)
      loader.drop()
      bytes += entry.batch.length
    }
    return true
  }

  /** The append to the target and the end of the ids land in one commit, or the end in a later one: after a crash it comes twice, rather than never. */
  #publish({ id, messages, partition, batch }: Loaded): void {
    const { ids } = this.#state
    const last = id + messages - 1
    const left = ids.count(id, last)
    if (left === 0) return
    const owner = ids.targetOf(id)
    const target = owner === undefined ? undefined : this.#targets.get(owner.entity)
    assert(target !== undefined, 'what is pending has a target')
    const { store } = this.#shard
    const kept = left === messages ? batch : this.#keepPending(batch, id)
    const prepared = target.prepare(partition, kept)
    const { bytes } = prepared
    if (bytes === undefined) prepared.append()
    store.reserve(STATE_BYTES + (bytes ?? 0))
    this.cell.remove(id, last)
    if (bytes !== undefined) prepared.append()
  }

  /** The batch without the messages that were cancelled. */
  #keepPending(batch: Uint8Array, id: number): Uint8Array {
    const cancelled: number[] = []
    for (let n = 0; n < batchRecordCount(batch); n++) if (!this.#state.ids.has(id + n)) cancelled.push(n)
    return batchWithout(batch, cancelled, this.#shard.crc32c)
  }

  /** Before this, all that is scheduled is in memory: nothing that is due later may overtake what is not. */
  #readyBelowMs(nowMs: number): number {
    const next = this.#slots.toPrepare(nowMs)
    if (next === undefined) return Infinity
    // While a millisecond that is too much is published in portions, all that is in memory is of it.
    const isPortion = next.loaded > 0 && this.#loader.slot !== next
    return next.loadedBelowMs + (isPortion ? 1 : 0)
  }

  /** Splits and loads what comes near, a share at a time. @returns whether there is more to do now */
  #prepare(nowMs: number): boolean {
    this.#removeDone(nowMs)
    const slot = this.#slots.toPrepare(nowMs)
    if (slot === undefined) return false
    const worker = this.#isLoadedWhole(slot, nowMs) ? this.#loader : this.#splitter
    try {
      return worker.prepare(slot)
    } catch (error) {
      if (!(error instanceof Error) || !isUnreadable(error)) throw error
      this.#leave(worker.slot ?? slot, error)
      worker.abandon()
      return true
    }
  }

  /** A coarse slot of which all is due needs not be split, unless it is too large. What was begun one way goes on that way. */
  #isLoadedWhole(slot: Slot, nowMs: number): boolean {
    if (slot.level === 0 || slot === this.#loader.slot) return true
    if (slot === this.#splitter.slot || slot.endMs > nowMs) return false
    return this.#shard.store.bounds(slot.log).bytes <= this.#loadedBytesMax
  }

  #removeDone(nowMs: number): void {
    for (let slot = this.#slots.done(nowMs); slot !== undefined; slot = this.#slots.done(nowMs)) {
      this.#shard.store.reserve(STATE_BYTES)
      this.#slots.remove(slot)
    }
  }

  /** What is damaged must not hold up the rest. */
  #leave(slot: Slot, error: Error): void {
    this.#slots.leave(slot)
    const from = new Date(slot.startMs).toISOString()
    const to = new Date(slot.endMs).toISOString()
    this.#shard.warn(`messages that are scheduled from ${from} to ${to} cannot be read and stay where they are: ${error.message}`)
  }

  // ---- time -----------------------------------------------------------------------------------------------------------

  /** What was not done although its time had come by `nowMs` waits for a read or for room, and wakes it by itself. */
  #sleep(nowMs: number): void {
    const dueMs = this.#loader.heap.peek()?.dueMs ?? Infinity
    const atMs = Math.min(dueMs > nowMs ? dueMs : Infinity, this.#slots.nextMs(nowMs))
    if (atMs < Infinity) this.#wakeAt(atMs, nowMs)
  }

  /** The wall clock may be set meanwhile, so it is looked at again before long. */
  #wakeAt(wallMs: number, nowMs: number): void {
    const atMs = this.#shard.platform.clock.monotonicMs() + Math.min(Math.max(wallMs - nowMs, 1), LOOK_MS)
    if (atMs >= this.#wakesAtMs) return
    this.#wakesAtMs = atMs
    this.#shard.timers.add(atMs, this)
  }
}

/** What a batch that waits takes in a commit, at most. */
function bytesOf(batch: Uint8Array): number {
  return batch.length + ENTRY_BYTES + STATE_BYTES
}

/** @returns whole milliseconds. @throws `bad_request` */
function checkDue(dueMs: number, nowMs: number): number {
  if (!Number.isFinite(dueMs) || dueMs < 0)
    throw new MillraceError('bad_request', `the time to publish at is in milliseconds since 1970, not ${dueMs}`)
  if (dueMs - nowMs <= HORIZON_MS) return Math.ceil(dueMs)
  throw new MillraceError(
    'bad_request',
    `a message can be scheduled up to 100 years ahead; ${dueMs} milliseconds since 1970 is later: are these microseconds?`,
  )
}

function isUnreadable(error: Error): boolean {
  return error instanceof MillraceError ? error.code === 'data_corrupt' : error.name.endsWith('FormatError')
}
