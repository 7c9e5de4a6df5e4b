/**
 * Which messages of one cursor may be handed out when those with one key go one at a time, in order. Knows the messages that
 * were passed and are not settled, and none of the backlog behind them.
 *
 * A key has a *lane*, a small number: looked up once when a message is looked at, and known of those that were passed. Lanes whose
 * messages are all settled are kept for when their keys come again, until others are needed.
 */
// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)
import { LaneTable, NO_LANE } from './lane-table.ts'
import { NONE, PassedMessages } from './passed-messages.ts'

const LANES_MIN = 16
/** Without more than this part of its lanes in use for so long, it gives them back when it is empty. */
const SPARSE_SHARE = 16

export class KeyOrder {
  readonly #lanes = new LaneTable()
  /** Lane of each message that is with a consumer, comes back, or waits; and the next that waits behind it. Those that wait are in order. */
  readonly #messages = new PassedMessages()
  /** By lane: its key; the message whose turn it is, and the last that waits, or NONE; the slice that claimed it. */
  #keys = new Float64Array(0)
  #turns = new Float64Array(0)
  #lasts = new Float64Array(0)
  #claims = new Int32Array(0)
  #free: number[] = []
  #slice = 0
  /** Messages in a row that were settled while few lanes were in use. */
  #sparse = 0

  constructor() {
    this.#resize(LANES_MIN)
  }

  /** Keys for which it has room. */
  get capacity(): number {
    return this.#keys.length
  }

  /** `laneFor` will be asked for these keys. */
  approach(keys: Float64Array, count: number): void {
    this.#lanes.approach(keys, count)
  }

  /** The lane of a key, which may be taken from it when another is asked for unless it is in use or claimed. */
  laneFor(key: number): number {
    const known = this.#lanes.get(key)
    if (known !== NO_LANE) return known
    if (this.#free.length === 0) this.#makeRoom()
    const lane = this.#free.pop()!
    this.#lanes.add(key, lane)
    this.#keys[lane] = key
    return lane
  }

  /** The lane of a message that it knows, or NO_LANE: messages without a key wait for nobody. */
  laneOf(offset: number): number {
    const place = this.#messages.find(offset)
    return place === NONE ? NO_LANE : this.#messages.numbers[place]!
  }

  /** Lanes are claimed for another slice of messages from now on. */
  beginSlice(): void {
    this.#slice = (this.#slice + 1) | 0
    if (this.#slice === 0) this.#slice = 1
  }

  /** @returns false when the slice has a message of that lane already */
  claim(lane: number): boolean {
    if (this.#claims[lane] === this.#slice) return false
    this.#claims[lane] = this.#slice
    return true
  }

  /** Whether the message may be handed out now. */
  admits(offset: number, lane: number): boolean {
    if (lane === NO_LANE) return true
    const turn = this.#turns[lane]!
    return turn === NONE || turn === offset
  }

  /** It is handed out, or waits for a time of its own: those with its key wait until it is settled. */
  enter(offset: number, lane: number): void {
    if (lane === NO_LANE) return
    const turn = this.#turns[lane]!
    if (turn === offset) return
    const place = this.#messages.set(offset, lane)
    if (turn !== NONE && turn < offset) return this.#wait(turn, offset, lane)
    this.#turns[lane] = offset
    if (turn === NONE) return
    this.#messages.nexts[place] = turn
    if (this.#lasts[lane] === NONE) this.#lasts[lane] = turn
  }

  /** It waits for the one whose turn it is. */
  block(offset: number, lane: number): void {
    this.#messages.set(offset, lane)
    this.#wait(this.#turns[lane]!, offset, lane)
  }

  /** Whether it is known and waits for another. */
  waits(offset: number): boolean {
    const lane = this.laneOf(offset)
    return lane !== NO_LANE && this.#turns[lane] !== offset
  }

  /** It is over. @returns the message whose turn it is now, or -1 */
  settled(offset: number): number {
    const messages = this.#messages
    const place = messages.find(offset)
    if (place === NONE) return NONE
    const lane = messages.numbers[place]!
    const turn = this.#turns[lane]!
    const next = messages.nexts[place]!
    messages.delete(offset, place)
    this.#sparse = messages.size * SPARSE_SHARE < this.capacity ? this.#sparse + 1 : 0
    if (turn !== offset) {
      this.#forget(turn, offset, next, lane)
      return NONE
    }
    this.#turns[lane] = next
    if (next === NONE) this.#shrink()
    else if (this.#lasts[lane] === next) this.#lasts[lane] = NONE
    return next
  }

  /** Messages that it knows below `end`, in order. */
  below(end: number): number[] {
    return this.#messages.below(end)
  }

  #next(offset: number): number {
    return this.#messages.nexts[this.#messages.find(offset)]!
  }

  #setNext(offset: number, next: number): void {
    this.#messages.nexts[this.#messages.find(offset)] = next
  }

  #wait(turn: number, offset: number, lane: number): void {
    const last = this.#lasts[lane]!
    if (last < offset) {
      this.#setNext(last === NONE ? turn : last, offset)
      this.#lasts[lane] = offset
      return
    }
    let before = turn
    let after = this.#next(turn)
    while (after < offset) {
      before = after
      after = this.#next(after)
    }
    if (after === offset) return
    this.#setNext(before, offset)
    this.#setNext(offset, after)
  }

  /** It waited, and does not any more. */
  #forget(turn: number, offset: number, after: number, lane: number): void {
    let before = turn
    for (let next = this.#next(before); next !== offset; next = this.#next(before)) before = next
    this.#setNext(before, after)
    if (after === NONE) this.#lasts[lane] = before === turn ? NONE : before
  }

  /** Takes lanes from keys that do not use them; if those are few, makes more. */
  #makeRoom(): void {
    for (let lane = 0; lane < this.capacity; lane++) {
      if (this.#turns[lane] !== NONE || this.#claims[lane] === this.#slice) continue
      this.#lanes.delete(this.#keys[lane]!)
      this.#free.push(lane)
    }
    if (this.#free.length * 2 < this.capacity) this.#resize(this.capacity * 2)
  }

  #shrink(): void {
    if (this.#messages.size > 0 || this.#sparse < this.capacity || this.capacity === LANES_MIN) return
    this.#lanes.clear()
    this.#messages.shrink()
    this.#free = []
    this.#keys = this.#turns = this.#lasts = new Float64Array(0)
    this.#claims = new Int32Array(0)
    this.#resize(LANES_MIN)
  }

  #resize(lanes: number): void {
    const before = this.capacity
    const [keys, turns, lasts, claims] = [this.#keys, this.#turns, this.#lasts, this.#claims]
    this.#keys = new Float64Array(lanes)
    this.#turns = new Float64Array(lanes).fill(NONE)
    this.#lasts = new Float64Array(lanes).fill(NONE)
    this.#claims = new Int32Array(lanes)
    this.#keys.set(keys)
    this.#turns.set(turns)
    this.#lasts.set(lasts)
    this.#claims.set(claims)
    for (let lane = lanes - 1; lane >= before; lane--) this.#free.push(lane)
  }
}
