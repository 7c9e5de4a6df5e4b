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
/** It has more lanes when, of those it has, fewer than one of so many can be taken from their keys: then by half of them. */
const FREE_SHARE = 4
const GROWTH = 1.5
/** Without more than this part of its lanes in use for so long, it gives them back when it is empty. */
const SPARSE_SHARE = 16

export class KeyOrder {
  readonly #lanes = new LaneTable()
  /** Lane of each message that is with a consumer, comes back, or waits; and in a circle, the next of that lane, in order, behind its turn. */
  readonly #messages = new PassedMessages()
  /** By lane: its key; the place of its last message, or NONE, or the next free lane if it is free; the slice that claimed it. */
  #keys = new Int32Array(0)
  #lasts = new Int32Array(0)
  #claims = new Int32Array(0)
  #free = NO_LANE
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
    if (this.#free === NO_LANE) this.#makeRoom()
    const lane = this.#free
    this.#free = this.#lasts[lane]!
    this.#lasts[lane] = NONE
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
    const last = this.#lasts[lane]!
    return last === NONE || this.#messages.offsetAt(this.#messages.nexts[last]!) === offset
  }

  /** It is handed out, or waits for a time of its own: those with its key wait until it is settled. */
  enter(offset: number, lane: number): void {
    if (lane !== NO_LANE) this.#place(offset, lane)
  }

  /** It waits for the one whose turn it is. */
  block(offset: number, lane: number): void {
    this.#place(offset, lane)
  }

  /** Whether it is known and waits for another. */
  waits(offset: number): boolean {
    const messages = this.#messages
    const place = messages.find(offset)
    return place !== NONE && messages.nexts[this.#lasts[messages.numbers[place]!]!] !== place
  }

  /** It is over. @returns the message whose turn it is now, or -1 */
  settled(offset: number): number {
    const messages = this.#messages
    const place = messages.find(offset)
    if (place === NONE) return NONE
    const lane = messages.numbers[place]!
    const next = messages.nexts[place]!
    messages.delete(offset, place)
    this.#sparse = messages.size * SPARSE_SHARE < this.capacity ? this.#sparse + 1 : 0
    if (next === place) {
      this.#lasts[lane] = NONE
      this.#shrink()
      return NONE
    }
    const last = this.#lasts[lane]!
    let before = last
    while (messages.nexts[before] !== place) before = messages.nexts[before]!
    messages.nexts[before] = next
    if (last === place) this.#lasts[lane] = before
    return before === last ? messages.offsetAt(next) : NONE
  }

  /** Messages that it knows below `end`, in order. */
  below(end: number): number[] {
    return this.#messages.below(end)
  }

  /** Finds its place behind those of its lane that come before it. */
  #place(offset: number, lane: number): void {
    const messages = this.#messages
    const { size } = messages
    const place = messages.set(offset, lane)
    if (messages.size === size) return
    const last = this.#lasts[lane]!
    if (last === NONE) {
      messages.nexts[place] = place
      this.#lasts[lane] = place
      return
    }
    let before = last
    if (messages.offsetAt(last) < offset) this.#lasts[lane] = place
    else while (messages.offsetAt(messages.nexts[before]!) < offset) before = messages.nexts[before]!
    messages.nexts[place] = messages.nexts[before]!
    messages.nexts[before] = place
  }

  /** Takes lanes from keys that do not use them; if those are few, makes more. */
  #makeRoom(): void {
    let freed = 0
    for (let lane = 0; lane < this.capacity; lane++) {
      if (this.#lasts[lane] !== NONE || this.#claims[lane] === this.#slice) continue
      this.#lanes.delete(this.#keys[lane]!)
      this.#lasts[lane] = this.#free
      this.#free = lane
      freed++
    }
    if (freed * FREE_SHARE < this.capacity) this.#resize(Math.ceil(this.capacity * GROWTH))
  }

  #shrink(): void {
    if (this.#messages.size > 0 || this.#sparse < this.capacity || this.capacity === LANES_MIN) return
    this.#lanes.clear()
    this.#messages.shrink()
    this.#free = NO_LANE
    this.#keys = this.#lasts = this.#claims = new Int32Array(0)
    this.#resize(LANES_MIN)
  }

  #resize(lanes: number): void {
    const before = this.capacity
    const [keys, lasts, claims] = [this.#keys, this.#lasts, this.#claims]
    this.#keys = new Int32Array(lanes)
    this.#lasts = new Int32Array(lanes)
    this.#claims = new Int32Array(lanes)
    this.#keys.set(keys)
    this.#lasts.set(lasts)
    this.#claims.set(claims)
    for (let lane = lanes - 1; lane >= before; lane--) {
      this.#lasts[lane] = this.#free
      this.#free = lane
    }
  }
}
