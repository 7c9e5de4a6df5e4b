/** The messages of one cursor in a queue with `order: 'key'`: what of a slice may be handed out, and what waits. */
// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)
import { assert } from '../../base/assert.ts'
import type { StoredBatch } from '../../storage/log-store.ts'
import { BatchKeys } from './batch-keys.ts'
import { insertReturned, removeOffsets } from './delivery-state.ts'
import { KeyOrder } from './key-order.ts'
import { NO_LANE } from './lane-table.ts'
import { RangeMap } from './range-map.ts'
import { ReturnedRange } from './ranges.ts'

/** When so many wait for others with their keys, no more are looked at. */
const BLOCKED_MAX = 16_384
/** Messages that are looked at together. */
const SLICE_MAX = 1024
/** Keys that are looked up together. */
const APPROACHED = 64

export class KeyTurns {
  /** They wait for one with their key. `attempts` 0: were never delivered. */
  readonly blocked: RangeMap<ReturnedRange> = new RangeMap()
  /** Deliveries of the message that `settled` freed last. */
  freedAttempts = 0
  readonly #order = new KeyOrder()
  /** What is looked at for the first time, and what came back. */
  readonly #ahead = new BatchKeys()
  readonly #back = new BatchKeys()
  /** Memory was asked for what the keys of new messages below have. */
  #approached = 0
  readonly #keys = new Float64Array(APPROACHED)
  /** Lanes of the slice, from its first offset on. */
  readonly #lanes = new Int32Array(SLICE_MAX)
  #lanesFrom = 0
  #laneCount = 0

  get isFull(): boolean {
    return this.blocked.offsets >= BLOCKED_MAX
  }

  /**
   * How many messages from `first` on may be handed out together. When the first may not: how many have to wait, negative; see `block`.
   * @param last of the slice; all up to there are records of the batch
   * @param isNew whether they are looked at for the first time
   */
  admit(batch: StoredBatch, first: number, last: number, isNew: boolean): number {
    const end = Math.min(last - first + 1, SLICE_MAX)
    const inBatch = isNew ? this.#ahead : this.#back
    inBatch.enter(batch)
    const order = this.#order
    const lanes = this.#lanes
    order.beginSlice()
    let wait = false
    let count = 0
    for (; count < end; count++) {
      const offset = first + count
      let lane = isNew ? NO_LANE : order.laneOf(offset)
      if (lane === NO_LANE) {
        if (isNew && offset >= this.#approached) this.#approach(batch, offset, last)
        const key = inBatch.at(offset - batch.baseOffset)
        if (key >= 0) lane = order.laneFor(key)
      }
      const mayGo = order.admits(offset, lane)
      if (count === 0) wait = !mayGo
      if (wait ? mayGo : !mayGo || (lane !== NO_LANE && !order.claim(lane))) break
      lanes[count] = lane
    }
    this.#lanesFrom = first
    this.#laneCount = count
    return wait ? -count : count
  }

  #approach(batch: StoredBatch, first: number, last: number): void {
    const keys = this.#keys
    const count = Math.min(last - first + 1, keys.length)
    for (let n = 0; n < count; n++) keys[n] = this.#ahead.at(first + n - batch.baseOffset)
    this.#order.approach(keys, count)
    this.#approached = first + count
  }

  /** Messages of the slice that `admit` looked at are handed out. */
  enter(first: number, last: number): void {
    for (let offset = first; offset <= last; offset++) this.#order.enter(offset, this.#lanes[offset - this.#lanesFrom]!)
  }

  /** The first messages of the slice wait. */
  block(first: number, last: number, attempts: number): void {
    assert(first === this.#lanesFrom && last < first + this.#laneCount, 'what is blocked was looked at')
    for (let offset = first; offset <= last; offset++) this.#order.block(offset, this.#lanes[offset - first]!)
    insertReturned(this.blocked, first, last, attempts)
  }

  /** A message that is not looked at now has its place among those with its key: one that waits for its next attempt. */
  place(batch: StoredBatch, first: number, last: number): void {
    this.#back.enter(batch)
    for (let offset = first; offset <= last; offset++) {
      const key = this.#back.at(offset - batch.baseOffset)
      if (key >= 0) this.#order.enter(offset, this.#order.laneFor(key))
    }
  }

  /** It is over. @returns the message whose turn it is now if that was blocked, or -1; `freedAttempts` belongs to it */
  settled(offset: number): number {
    if (this.blocked.ranges === 0) {
      this.#order.settled(offset)
      return -1
    }
    if (this.#order.waits(offset)) this.#unblock(offset)
    const next = this.#order.settled(offset)
    return next >= 0 && this.#unblock(next) ? next : -1
  }

  /** What is below `start` is gone. @returns the messages whose turn it is now */
  trimmed(start: number): ReturnedRange[] {
    const free: ReturnedRange[] = []
    for (const offset of this.#order.below(start)) {
      const next = this.settled(offset)
      if (next >= start) free.push(new ReturnedRange(next, next, this.freedAttempts))
    }
    return free
  }

  /** @returns whether it was blocked */
  #unblock(offset: number): boolean {
    const range = this.blocked.from(offset)
    if (range === undefined || range.first > offset) return false
    const { attempts } = range
    removeOffsets(this.blocked, offset, offset, (_, first, last) => new ReturnedRange(first, last, attempts))
    this.freedAttempts = attempts
    return true
  }
}
