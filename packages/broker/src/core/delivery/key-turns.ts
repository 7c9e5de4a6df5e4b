/** The messages of one cursor in a queue with `order: 'key'`: what of a slice may be handed out, and what waits. */
// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)
import { assert } from '../../base/assert.ts'
import type { StoredBatch } from '../../storage/log-store.ts'
import { BatchKeys } from './batch-keys.ts'
import { insertReturned, removeOffsets } from './delivery-state.ts'
import { KeyOrder, NO_KEY } from './key-order.ts'
import { RangeMap } from './range-map.ts'
import { ReturnedRange } from './ranges.ts'

/** When so many wait for others with their keys, no more are looked at. */
const BLOCKED_MAX = 16_384
/** Messages that are looked at together. */
const SLICE_MAX = 1024

export class KeyTurns {
  /** They wait for one with their key. `attempts` 0: were never delivered. */
  readonly blocked: RangeMap<ReturnedRange> = new RangeMap()
  /** Deliveries of the message that `settled` freed last. */
  freedAttempts = 0
  readonly #order = new KeyOrder()
  /** What is looked at for the first time, and what came back. */
  readonly #ahead = new BatchKeys()
  readonly #back = new BatchKeys()
  /** Keys of the slice, from its first offset on. */
  readonly #keys = new Float64Array(SLICE_MAX)
  #keysFrom = 0
  #keyCount = 0
  readonly #seen = new SeenKeys()

  get isFull(): boolean {
    return this.blocked.offsets >= BLOCKED_MAX
  }

  /**
   * How many messages from `first` on may be handed out together. When the first may not: how many have to wait, negative; see `block`.
   * @param last of the slice; all up to there are records of the batch
   * @param isNew whether they are looked at for the first time
   */
  admit(batch: StoredBatch, first: number, last: number, isNew: boolean): number {
    const keys = this.#keys
    const end = Math.min(last - first + 1, SLICE_MAX)
    const inBatch = isNew ? this.#ahead : this.#back
    inBatch.enter(batch)
    this.#seen.clear()
    let wait = false
    let count = 0
    for (; count < end; count++) {
      const offset = first + count
      let key = isNew ? NO_KEY : this.#order.keyOf(offset)
      if (key === NO_KEY) key = inBatch.at(offset - batch.baseOffset)
      const mayGo = this.#order.admits(offset, key)
      if (count === 0) wait = !mayGo
      if (wait ? mayGo : !mayGo || (key !== NO_KEY && !this.#seen.add(key))) break
      keys[count] = key
    }
    this.#keysFrom = first
    this.#keyCount = count
    return wait ? -count : count
  }

  /** Messages of the slice that `admit` looked at are handed out. */
  enter(first: number, last: number): void {
    for (let offset = first; offset <= last; offset++) this.#order.enter(offset, this.#keys[offset - this.#keysFrom]!)
  }

  /** The first messages of the slice wait. */
  block(first: number, last: number, attempts: number): void {
    assert(first === this.#keysFrom && last < first + this.#keyCount, 'what is blocked was looked at')
    for (let offset = first; offset <= last; offset++) this.#order.block(offset, this.#keys[offset - first]!)
    insertReturned(this.blocked, first, last, attempts)
  }

  /** A message that is not looked at now has its place among those with its key: one that waits for its next attempt. */
  place(batch: StoredBatch, first: number, last: number): void {
    this.#back.enter(batch)
    for (let offset = first; offset <= last; offset++) {
      const key = this.#back.at(offset - batch.baseOffset)
      if (key >= 0) this.#order.enter(offset, key)
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

/** The keys of one slice. */
class SeenKeys {
  /** Twice as many places as there may be keys; a key counts where the round is the one that goes on. */
  readonly #keys = new Float64Array(SLICE_MAX * 2)
  readonly #rounds = new Uint32Array(SLICE_MAX * 2)
  #round = 0

  clear(): void {
    this.#round = (this.#round + 1) >>> 0
    if (this.#round > 0) return
    this.#rounds.fill(0)
    this.#round = 1
  }

  /** @returns false when it was there */
  add(key: number): boolean {
    const mask = this.#keys.length - 1
    let place = key & mask
    for (; this.#rounds[place] === this.#round; place = (place + 1) & mask) if (this.#keys[place] === key) return false
    this.#rounds[place] = this.#round
    this.#keys[place] = key
    return true
  }
}
