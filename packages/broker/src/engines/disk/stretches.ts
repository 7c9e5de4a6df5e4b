/** What is to be read from a file, as few reads. */
// hot path
import { KIB, MIB } from '../../base/units.ts'
import { BLOCK_BYTES, type File } from './file-system.ts'
import { readFully } from './whole-transfers.ts'

/** Reading so much in between costs less than a read of its own. */
const GAP_BYTES_MAX: number = 16 * KIB
/** Larger ones are read by several threads at once. */
const STRETCH_BYTES_MAX: number = MIB

/** Whoever reads so much goes through old data, and hardly comes back to it. */
const ONCE_BYTES_MIN: number = 256 * KIB

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

  async read(file: File, once: boolean): Promise<void> {
    const bytes = Buffer.allocUnsafeSlow(this.end - this.start)
    await readFully(file, bytes, this.start, once && bytes.length >= BLOCK_BYTES)
    this.bytes = bytes
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

  /** The bytes beyond the end of the file are zeros. @param mayBypass whether all that was written to the file is durable */
  async read(file: File, mayBypass = false): Promise<void> {
    let bytes = 0
    for (const { start, end } of this.#all) bytes += end - start
    const once = mayBypass && bytes >= ONCE_BYTES_MIN
    await Promise.all(this.#all.map((stretch) => stretch.read(file, once)))
  }
}
