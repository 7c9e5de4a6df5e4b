/**
 * Which messages of one cursor may be handed out when those with one key go one at a time, in order. Knows the messages that
 * were passed and are not settled, and none of the backlog behind them.
 */
// hot path of queues with `order: 'key'`

/** Of messages without a key: they wait for nobody. */
export const NO_KEY = -1

export class KeyOrder {
  /** By offset, of the messages below that are with a consumer, come back, or wait. */
  readonly #keys = new Map<number, number>()
  /** By key: the message whose turn it is. */
  readonly #turns = new Map<number, number>()
  /** By key: those after it, in order. */
  readonly #waiting = new Map<number, number[]>()

  /** Whether the message may be handed out now. */
  admits(offset: number, key: number): boolean {
    if (key === NO_KEY) return true
    const turn = this.#turns.get(key)
    return turn === undefined || turn === offset
  }

  /** It is handed out, or waits for a time of its own: those with its key wait until it is settled. */
  enter(offset: number, key: number): void {
    if (key === NO_KEY) return
    const turn = this.#turns.get(key)
    this.#keys.set(offset, key)
    if (turn === offset) return
    if (turn !== undefined && turn < offset) return this.#wait(offset, key)
    this.#turns.set(key, offset)
    if (turn !== undefined) this.#wait(turn, key)
  }

  /** It waits for the one whose turn it is. */
  block(offset: number, key: number): void {
    this.#keys.set(offset, key)
    this.#wait(offset, key)
  }

  /** It is over. @returns the message whose turn it is now, or -1 */
  settled(offset: number): number {
    const key = this.#keys.get(offset)
    if (key === undefined) return -1
    this.#keys.delete(offset)
    const waiting = this.#waiting.get(key)
    if (this.#turns.get(key) !== offset) {
      if (waiting !== undefined) this.#forget(key, waiting, offset)
      return -1
    }
    if (waiting === undefined) {
      this.#turns.delete(key)
      return -1
    }
    const next = waiting.shift()!
    if (waiting.length === 0) this.#waiting.delete(key)
    this.#turns.set(key, next)
    return next
  }

  /** Messages that it knows below `end`. */
  below(end: number): number[] {
    const offsets: number[] = []
    for (const offset of this.#keys.keys()) if (offset < end) offsets.push(offset)
    return offsets
  }

  #wait(offset: number, key: number): void {
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) {
      this.#waiting.set(key, [offset])
      return
    }
    let at = waiting.length
    while (at > 0 && waiting[at - 1]! > offset) at--
    if (waiting[at - 1] !== offset) waiting.splice(at, 0, offset)
  }

  #forget(key: number, waiting: number[], offset: number): void {
    const at = waiting.indexOf(offset)
    if (at >= 0) waiting.splice(at, 1)
    if (waiting.length === 0) this.#waiting.delete(key)
  }
}
