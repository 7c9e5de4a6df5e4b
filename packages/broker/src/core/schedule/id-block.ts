/** Which of up to 65,536 neighbouring numbers are still pending, in as little memory as their pattern allows. */
import { type ByteReader, type ByteWriter, StateFormatError } from '../state/bytes.ts'

export const BLOCK_IDS = 65_536
/** A sorted list takes two bytes for each; beyond this a bitmap (8 KiB) is used. */
const LIST_MAX = 2048
const BITMAP_WORDS: number = BLOCK_IDS / 32

const RUN = 0
const LIST = 1
const BITMAP = 2

/**
 * Numbers are given out in order, so a new block is a run. A run that only loses its front (messages with the same delay)
 * stays one; otherwise it becomes a list or a bitmap. At most two bytes for each number that is left, beside a flat 100.
 */
export class IdBlock {
  readonly number: number
  /** Numbers given out: 0..used - 1. */
  used = 0
  /** How many of them are pending. */
  size = 0
  /** Without list and bitmap, pending are `#from..used - 1`. */
  #from = 0
  #list: Uint16Array | undefined
  #bitmap: Uint32Array | undefined

  constructor(number: number) {
    this.number = number
  }

  has(id: number): boolean {
    if (this.#bitmap !== undefined) return (this.#bitmap[id >>> 5]! & (1 << (id & 31))) !== 0
    if (this.#list !== undefined) return this.#list[this.#search(id)] === id
    return id >= this.#from && id < this.used
  }

  /** How many of `first..last` are pending. */
  count(first: number, last: number): number {
    if (this.#bitmap === undefined && this.#list === undefined)
      return Math.max(0, Math.min(last, this.used - 1) - Math.max(first, this.#from) + 1)
    let count = 0
    for (let id = first; id <= last; id++) if (this.has(id)) count++
    return count
  }

  /** Gives out all numbers below `used`. */
  extend(used: number): void {
    const before = this.used
    if (used <= before) return
    this.used = used
    this.size += used - before
    if (this.#list !== undefined) this.#fillList(before)
    else if (this.#bitmap !== undefined) setBits(this.#bitmap, before, used)
  }

  /** @returns how many of `first..last` were pending */
  remove(first: number, last: number): number {
    const removed = this.count(first, last)
    if (removed === 0) return 0
    this.size -= removed
    if (this.size === 0) {
      this.#list = undefined
      this.#bitmap = undefined
      this.#from = this.used
    } else if (this.#isRun && first <= this.#from) this.#from = last + 1
    else {
      if (this.#isRun) this.#leaveRun()
      if (this.#bitmap === undefined) this.#removeFromList(first, last)
      else for (let id = first; id <= last; id++) this.#bitmap[id >>> 5]! &= ~(1 << (id & 31))
      if (this.#bitmap !== undefined && this.size <= LIST_MAX / 2) this.#toList()
    }
    return removed
  }

  /** What `write` writes at most, in bytes. */
  get bytesMax(): number {
    return 8 + (this.#bitmap?.byteLength ?? this.#list?.byteLength ?? 0)
  }

  /** Everything but its number. */
  write(out: ByteWriter): void {
    out.varint(this.used)
    if (this.#bitmap !== undefined) {
      out.byte(BITMAP)
      for (const word of this.#bitmap) for (let shift = 0; shift < 32; shift += 8) out.byte((word >>> shift) & 255)
    } else if (this.#list !== undefined) {
      out.byte(LIST)
      out.varint(this.size)
      let before = 0
      for (let n = 0; n < this.size; n++) {
        out.varint(this.#list[n]! - before)
        before = this.#list[n]!
      }
    } else {
      out.byte(RUN)
      out.varint(this.#from)
    }
  }

  /** @throws StateFormatError */
  static read(number: number, from: ByteReader): IdBlock {
    const block = new IdBlock(number)
    block.used = from.varint()
    const form = from.byte()
    if (block.used > BLOCK_IDS || form > BITMAP) throw new StateFormatError('a block of schedule ids is malformed')
    if (form === RUN) {
      block.#from = Math.min(from.varint(), block.used)
      block.size = block.used - block.#from
    } else if (form === LIST) {
      block.size = from.varint()
      if (block.size > LIST_MAX) throw new StateFormatError(`a list of ${block.size} schedule ids is too long`)
      block.#list = new Uint16Array(block.size)
      let id = 0
      for (let n = 0; n < block.size; n++) block.#list[n] = id += from.varint()
    } else {
      block.#bitmap = new Uint32Array(BITMAP_WORDS)
      for (let n = 0; n < BITMAP_WORDS; n++) {
        let word = 0
        for (let shift = 0; shift < 32; shift += 8) word |= from.byte() << shift
        block.#bitmap[n] = word
        block.size += bitsIn(word)
      }
    }
    return block
  }

  get #isRun(): boolean {
    return this.#list === undefined && this.#bitmap === undefined
  }

  #leaveRun(): void {
    const { used } = this
    if (used - this.#from <= LIST_MAX) this.#list = Uint16Array.from({ length: used - this.#from }, (_, n) => this.#from + n)
    else {
      this.#bitmap = new Uint32Array(BITMAP_WORDS)
      setBits(this.#bitmap, this.#from, used)
    }
  }

  #removeFromList(first: number, last: number): void {
    const list = this.#list!
    const length = this.size + this.#countInList(first, last)
    const at = this.#search(first)
    const end = this.#search(last + 1)
    list.copyWithin(at, end, length)
    this.#list = list.slice(0, this.size)
  }

  #countInList(first: number, last: number): number {
    return this.#search(last + 1) - this.#search(first)
  }

  #fillList(before: number): void {
    const list = this.#list!
    if (this.size > LIST_MAX) {
      this.#bitmap = new Uint32Array(BITMAP_WORDS)
      for (const id of list) setBits(this.#bitmap, id, id + 1)
      setBits(this.#bitmap, before, this.used)
      this.#list = undefined
      return
    }
    const longer = new Uint16Array(this.size)
    longer.set(list)
    for (let id = before, n = list.length; id < this.used; id++, n++) longer[n] = id
    this.#list = longer
  }

  #toList(): void {
    const list = new Uint16Array(this.size)
    let n = 0
    for (let id = 0; id < this.used; id++) if (this.has(id)) list[n++] = id
    this.#list = list
    this.#bitmap = undefined
  }

  /** Position of the first entry of the list that is at least `id`. */
  #search(id: number): number {
    const list = this.#list!
    let low = 0
    let high = list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (list[middle]! < id) low = middle + 1
      else high = middle
    }
    return low
  }
}

function setBits(bitmap: Uint32Array, first: number, end: number): void {
  for (let id = first; id < end; id++) bitmap[id >>> 5]! |= 1 << (id & 31)
}

function bitsIn(word: number): number {
  let rest = word
  let bits = 0
  for (; rest !== 0; bits++) rest &= rest - 1
  return bits
}
