import { assert } from '../../base/assert.ts'
import { FRAME_ALIGNMENT } from './frame.ts'

/** Where the frames of one segment start: 4 bytes each, as in the index of a closed segment. */
export class PositionList {
  #units: Uint32Array = new Uint32Array(64)
  #count = 0

  get count(): number {
    return this.#count
  }

  push(position: number): void {
    assert(position % FRAME_ALIGNMENT === 0, 'a frame begins at a multiple of its alignment', position)
    if (this.#count === this.#units.length) {
      const larger = new Uint32Array(this.#units.length * 2)
      larger.set(this.#units)
      this.#units = larger
    }
    this.#units[this.#count++] = position / FRAME_ALIGNMENT
  }

  at(ordinal: number): number {
    assert(ordinal >= 0 && ordinal < this.#count, 'a frame, of so many', ordinal, this.#count)
    return this.#units[ordinal]! * FRAME_ALIGNMENT
  }

  /** The stored form of the entries from..to-1: little-endian 32-bit numbers. */
  encode(from: number, to: number): Buffer {
    const bytes = Buffer.alloc((to - from) * 4)
    for (let ordinal = from; ordinal < to; ordinal++) bytes.writeUInt32LE(this.#units[ordinal]!, (ordinal - from) * 4)
    return bytes
  }
}
