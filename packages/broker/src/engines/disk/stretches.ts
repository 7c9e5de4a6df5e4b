/** What is to be read from a file, as few reads. */
// hot path
import type { Lease } from '../../base/lease.ts'
import { KIB } from '../../base/units.ts'
import { BLOCK_BYTES, type File } from './file-system.ts'
import { aligned } from './frame.ts'
import { READ_BLOCK_BYTES, type ReadBlocks } from './read-blocks.ts'
import { readFully } from './whole-transfers.ts'

/** Reading so much in between costs less than a read of its own. */
const GAP_BYTES_MAX: number = 16 * KIB
/** Larger ones are read by several threads at once. It fits a block of memory, wherever in the file it begins. */
const STRETCH_BYTES_MAX: number = READ_BLOCK_BYTES - 2 * BLOCK_BYTES

/** Whoever reads so much goes through old data, and hardly comes back to it. */
const ONCE_BYTES_MIN: number = 256 * KIB
/** Less is not worth lending a block of memory. */
const LENT_BYTES_MIN: number = 128 * KIB

/** A range of the file, once it is read. */
export interface Piece {
  readonly bytes: Buffer
}

/** One read. */
class Stretch {
  readonly start: number
  end: number
  bytes: Buffer | undefined

  constructor(start: number, end: number) {
    this.start = start
    this.end = end
  }

  joins(start: number, end: number): boolean {
    return start >= this.start && start <= this.end + GAP_BYTES_MAX && end - this.start <= STRETCH_BYTES_MAX
  }

  async read(file: File, once: boolean, blocks: ReadBlocks, lease: Lease | undefined): Promise<void> {
    const length = this.end - this.start
    const lendTo = length >= LENT_BYTES_MIN && length <= STRETCH_BYTES_MAX ? lease : undefined
    const block = lendTo !== undefined || (once && length >= BLOCK_BYTES) ? blocks.take() : undefined
    if (block === undefined) {
      this.bytes = Buffer.allocUnsafeSlow(length)
      await readFully(file, this.bytes, this.start)
      return
    }
    try {
      this.bytes =
        lendTo === undefined ? await this.#copied(file, block.bytes) : await this.#read(file, block.bytes, this.start, once)
      lendTo?.add(block)
    } finally {
      block.release()
    }
  }

  /** Piece by piece, by way of the block. */
  async #copied(file: File, block: Uint8Array): Promise<Buffer> {
    const all = Buffer.allocUnsafeSlow(this.end - this.start)
    for (let at = 0; at < all.length;) {
      const bytes = await this.#read(file, block, this.start + at, true)
      all.set(bytes, at)
      at += bytes.length
    }
    return all
  }

  /** @returns a view of the block, of what of the stretch begins at `position` and fits */
  async #read(file: File, block: Uint8Array, position: number, once: boolean): Promise<Buffer> {
    const lead = position % BLOCK_BYTES
    const whole = block.subarray(0, Math.min(aligned(lead + this.end - position, BLOCK_BYTES), block.length))
    await readFully(file, whole, position - lead, once)
    return Buffer.from(whole.buffer, whole.byteOffset + lead, Math.min(whole.length - lead, this.end - position))
  }
}

class PieceOfStretch implements Piece {
  readonly #stretch: Stretch
  readonly #start: number
  readonly #end: number

  constructor(stretch: Stretch, start: number, end: number) {
    this.#stretch = stretch
    this.#start = start
    this.#end = end
  }

  get bytes(): Buffer {
    return this.#stretch.bytes!.subarray(this.#start - this.#stretch.start, this.#end - this.#stretch.start)
  }
}

export class Stretches {
  readonly #all: Stretch[] = []

  /** Adds a range to what is read. Those that are added in the order in which they lie in the file are joined. */
  add(start: number, end: number): Piece {
    let stretch = this.#all[this.#all.length - 1]
    if (stretch?.joins(start, end) !== true) {
      stretch = new Stretch(start, end)
      this.#all.push(stretch)
    }
    stretch.end = Math.max(stretch.end, end)
    return new PieceOfStretch(stretch, start, end)
  }

  /** The bytes beyond the end of the file are zeros. @param lease gets what they lie in; without one they have memory of their own */
  async read(file: File, blocks: ReadBlocks, lease?: Lease): Promise<void> {
    let bytes = 0
    for (const { start, end } of this.#all) bytes += end - start
    const once = bytes >= ONCE_BYTES_MIN
    await Promise.all(this.#all.map((stretch) => stretch.read(file, once, blocks, lease)))
  }
}
