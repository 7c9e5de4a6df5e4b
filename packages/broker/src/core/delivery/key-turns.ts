/** The messages of one cursor in a queue with `order: 'key'`: what of a slice may be handed out, and what waits. */
import { RecordCursor, murmur2 } from '@millrace/wire'
import { assert } from '../../base/assert.ts'
import type { StoredBatch } from '../../storage/log-store.ts'
import { insertReturned, removeOffsets } from './delivery-state.ts'
import { KeyOrder, NO_KEY } from './key-order.ts'
import { RangeMap } from './range-map.ts'
import { ReturnedRange } from './ranges.ts'

/** When so many wait for others with their keys, no more are looked at. */
const BLOCKED_MAX = 16_384

export class KeyTurns {
  /** They wait for one with their key. `attempts` 0: were never delivered. */
  readonly blocked: RangeMap<ReturnedRange> = new RangeMap()
  readonly #order = new KeyOrder()
  /** Keys of the slice, from its first offset on. */
  #keys: number[] = []
  #keysFrom = 0

  get isFull(): boolean {
    return this.blocked.offsets >= BLOCKED_MAX
  }

  /**
   * How many messages from `first` on may be handed out together. When the first may not: how many have to wait, negative; see `block`.
   * @param last of the slice; all up to there are records of the batch
   */
  admit(batch: StoredBatch, first: number, last: number): number {
    const record = new RecordCursor(batch.bytes)
    const seen = new Set<number>()
    this.#keys = []
    this.#keysFrom = first
    let wait = false
    while (record.next()) {
      const offset = batch.baseOffset + record.offsetDelta
      if (offset < first) continue
      if (offset > last) break
      const key = keyOf(record)
      const mayGo = this.#order.admits(offset, key)
      if (offset === first) wait = !mayGo
      if (wait ? mayGo : !mayGo || seen.has(key)) break
      if (key !== NO_KEY) seen.add(key)
      this.#keys.push(key)
    }
    return wait ? -this.#keys.length : this.#keys.length
  }

  /** Messages of the slice that `admit` looked at are handed out. */
  enter(first: number, last: number): void {
    for (let offset = first; offset <= last; offset++) this.#order.enter(offset, this.#keys[offset - this.#keysFrom]!)
  }

  /** The first messages of the slice wait. */
  block(first: number, last: number, attempts: number): void {
    assert(first === this.#keysFrom && last < first + this.#keys.length, 'what is blocked was looked at')
    for (let offset = first; offset <= last; offset++) this.#order.block(offset, this.#keys[offset - first]!)
    insertReturned(this.blocked, first, last, attempts)
  }

  /** A message that is not looked at now has its place among those with its key: one that waits for its next attempt. */
  place(batch: StoredBatch, first: number, last: number): void {
    const record = new RecordCursor(batch.bytes)
    while (record.next()) {
      const offset = batch.baseOffset + record.offsetDelta
      if (offset >= first && offset <= last) this.#order.enter(offset, keyOf(record))
    }
  }

  /** It is over. @returns the message whose turn it is now, if that waited */
  settled(offset: number): ReturnedRange | undefined {
    this.#unblock(offset)
    const next = this.#order.settled(offset)
    return next < 0 ? undefined : this.#unblock(next)
  }

  /** What is below `start` is gone. @returns the messages whose turn it is now */
  trimmed(start: number): ReturnedRange[] {
    const free: ReturnedRange[] = []
    for (const offset of this.#order.below(start)) {
      const next = this.settled(offset)
      if (next !== undefined && next.first >= start) free.push(next)
    }
    return free
  }

  #unblock(offset: number): ReturnedRange | undefined {
    const range = this.blocked.from(offset)
    if (range === undefined || range.first > offset) return undefined
    const { attempts } = range
    removeOffsets(this.blocked, offset, offset, (_, first, last) => new ReturnedRange(first, last, attempts))
    return new ReturnedRange(offset, offset, attempts)
  }
}

/** Keys with the same hash wait for each other: rare, and harmless. */
function keyOf(record: RecordCursor): number {
  if (record.keyLength < 0) return NO_KEY
  return murmur2(record.batch.subarray(record.keyAt, record.keyAt + record.keyLength)) >>> 0
}
