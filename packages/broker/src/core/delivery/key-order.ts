/**
 * Which messages of one cursor may be handed out when those with one key go one at a time, in order. Knows the messages that
 * were passed and are not settled, and none of the backlog behind them.
 */
// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)
import { ABSENT, NumberTable } from './number-table.ts'

/** Of messages without a key: they wait for nobody. */
export const NO_KEY = -1

export class KeyOrder {
  /** By offset, of the messages below that are with a consumer, come back, or wait. */
  readonly #keys = new NumberTable()
  /** By key: the message whose turn it is. */
  readonly #turns = new NumberTable()
  /** By offset of one that has its turn or waits: the next that waits with its key. Those that wait are in order. */
  readonly #next = new NumberTable()
  /** By key: the last that waits, if one does. */
  readonly #last = new NumberTable()

  /** The key of a message that it knows, or NO_KEY. */
  keyOf(offset: number): number {
    return this.#keys.get(offset)
  }

  /** Whether the message may be handed out now. */
  admits(offset: number, key: number): boolean {
    if (key === NO_KEY) return true
    const turn = this.#turns.get(key)
    return turn === ABSENT || turn === offset
  }

  /** It is handed out, or waits for a time of its own: those with its key wait until it is settled. */
  enter(offset: number, key: number): void {
    if (key === NO_KEY) return
    const turn = this.#turns.get(key)
    this.#keys.set(offset, key)
    if (turn === offset) return
    if (turn !== ABSENT && turn < offset) return this.#wait(turn, offset, key)
    this.#turns.set(key, offset)
    if (turn === ABSENT) return
    this.#next.set(offset, turn)
    if (this.#last.get(key) === ABSENT) this.#last.set(key, turn)
  }

  /** It waits for the one whose turn it is. */
  block(offset: number, key: number): void {
    this.#keys.set(offset, key)
    this.#wait(this.#turns.get(key), offset, key)
  }

  /** Whether it is known and waits for another. */
  waits(offset: number): boolean {
    const key = this.#keys.get(offset)
    return key !== ABSENT && this.#turns.get(key) !== offset
  }

  /** It is over. @returns the message whose turn it is now, or -1 */
  settled(offset: number): number {
    const key = this.#keys.delete(offset)
    if (key === ABSENT) return -1
    const turn = this.#turns.get(key)
    if (turn !== offset) {
      this.#forget(turn, offset, key)
      return -1
    }
    const next = this.#next.size === 0 ? ABSENT : this.#next.delete(offset)
    if (next === ABSENT) {
      this.#turns.delete(key)
      return -1
    }
    this.#turns.set(key, next)
    if (this.#last.get(key) === next) this.#last.delete(key)
    return next
  }

  /** Messages that it knows below `end`. */
  below(end: number): number[] {
    const offsets: number[] = []
    for (const offset of this.#keys.keys()) if (offset < end) offsets.push(offset)
    return offsets.toSorted((a, b) => a - b)
  }

  #wait(turn: number, offset: number, key: number): void {
    const last = this.#last.get(key)
    if (last === ABSENT || last < offset) {
      this.#next.set(last === ABSENT ? turn : last, offset)
      this.#last.set(key, offset)
      return
    }
    let before = turn
    let after = this.#next.get(turn)
    while (after < offset) {
      before = after
      after = this.#next.get(after)
    }
    if (after === offset) return
    this.#next.set(before, offset)
    this.#next.set(offset, after)
  }

  #forget(turn: number, offset: number, key: number): void {
    let before = turn
    while (this.#next.get(before) !== offset) before = this.#next.get(before)
    const after = this.#next.delete(offset)
    if (after !== ABSENT) {
      this.#next.set(before, after)
      return
    }
    this.#next.delete(before)
    if (before === turn) this.#last.delete(key)
    else this.#last.set(key, before)
  }
}
