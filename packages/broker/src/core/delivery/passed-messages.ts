// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)
import { ABSENT, NumberTable } from './number-table.ts'

/** Offsets that share a block. */
const BLOCK_OFFSETS = 8
/** A place is the number of a block, and so many bits. */
const OFFSET_BITS = 3
const BLOCKS_MIN = 8
/** Stands where there is no message. */
export const NONE = -1

/**
 * What is known of messages that were passed and are not settled, by offset: a number, and which comes after it. They come and go in runs,
 * so neighbours share a block, and the one that was used last is found without a search. A block takes 73 bytes and its place in the table
 * 16 to 32, however few are in it; while it grows there is room for half as many more.
 */
export class PassedMessages {
  /** By place: the number, or NONE; and a place, or NONE. A message keeps its place. */
  numbers: Int32Array = new Int32Array(0)
  nexts: Int32Array = new Int32Array(0)
  size = 0
  /** By number of the block: where its places are. */
  readonly #blocks = new NumberTable()
  /** By block: how many messages are in it; its number, or the next free block if it is free. */
  #counts = new Uint8Array(0)
  #numbers = new Float64Array(0)
  #free = NONE
  /** The block that was used last. */
  #number = NONE
  #block = 0

  constructor() {
    this.#resize(BLOCKS_MIN)
  }

  /** Where the message is, or NONE. */
  find(offset: number): number {
    const number = Math.floor(offset / BLOCK_OFFSETS)
    if (number !== this.#number) {
      const block = this.#blocks.get(number)
      if (block === ABSENT) return NONE
      this.#number = number
      this.#block = block
    }
    const place = this.#block * BLOCK_OFFSETS + (offset % BLOCK_OFFSETS)
    return this.numbers[place] === NONE ? NONE : place
  }

  /** Which message is at a place. */
  offsetAt(place: number): number {
    return this.#numbers[place >> OFFSET_BITS]! * BLOCK_OFFSETS + (place & (BLOCK_OFFSETS - 1))
  }

  /** Where the message is; its place is made if there is none. */
  set(offset: number, value: number): number {
    const number = Math.floor(offset / BLOCK_OFFSETS)
    if (number !== this.#number) {
      const block = this.#blocks.get(number)
      this.#block = block === ABSENT ? this.#newBlock(number) : block
      this.#number = number
    }
    const place = this.#block * BLOCK_OFFSETS + (offset % BLOCK_OFFSETS)
    if (this.numbers[place] === NONE) {
      this.#counts[this.#block]!++
      this.size++
      this.nexts[place] = NONE
    }
    this.numbers[place] = value
    return place
  }

  /** The message at that place is settled. */
  delete(offset: number, place: number): void {
    this.numbers[place] = NONE
    this.size--
    const block = place >> OFFSET_BITS
    if (--this.#counts[block]! > 0) return
    this.#blocks.delete(this.#numbers[block]!)
    this.#numbers[block] = this.#free
    this.#free = block
    if (this.#block === block) this.#number = NONE
  }

  /** All offsets below `end`, in order. */
  below(end: number): number[] {
    const offsets: number[] = []
    for (const number of this.#blocks.keys()) {
      const first = this.#blocks.get(number) * BLOCK_OFFSETS
      for (let n = 0; n < BLOCK_OFFSETS; n++) {
        const offset = number * BLOCK_OFFSETS + n
        if (offset < end && this.numbers[first + n] !== NONE) offsets.push(offset)
      }
    }
    return offsets.toSorted((a, b) => a - b)
  }

  /** Gives memory back. There is none in it. */
  shrink(): void {
    this.#free = NONE
    this.#number = NONE
    this.numbers = new Int32Array(0)
    this.nexts = new Int32Array(0)
    this.#counts = new Uint8Array(0)
    this.#numbers = new Float64Array(0)
    this.#resize(BLOCKS_MIN)
  }

  #newBlock(number: number): number {
    if (this.#free === NONE) this.#resize(this.#counts.length * 1.5)
    const block = this.#free
    this.#free = this.#numbers[block]!
    this.#numbers[block] = number
    this.#blocks.set(number, block)
    return block
  }

  #resize(length: number): void {
    const blocks = Math.ceil(length)
    const { numbers, nexts } = this
    const counts = this.#counts
    const blockNumbers = this.#numbers
    this.numbers = new Int32Array(blocks * BLOCK_OFFSETS)
    this.nexts = new Int32Array(blocks * BLOCK_OFFSETS)
    this.#counts = new Uint8Array(blocks)
    this.#numbers = new Float64Array(blocks)
    this.numbers.set(numbers)
    this.numbers.fill(NONE, numbers.length)
    this.nexts.set(nexts)
    this.#counts.set(counts)
    this.#numbers.set(blockNumbers)
    for (let block = blocks - 1; block >= counts.length; block--) {
      this.#numbers[block] = this.#free
      this.#free = block
    }
  }
}
