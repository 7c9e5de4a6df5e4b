import { MillraceError } from '../../base/errors.ts'

const INITIAL_BYTES = 16_384

/** What comes out of a decompressor: grows as far as it may. */
export class Output {
  bytes: Uint8Array
  length = 0
  readonly #bytesMax: number

  /** @param expected bytes, as the input claims */
  constructor(bytesMax: number, expected: number = INITIAL_BYTES) {
    this.#bytesMax = bytesMax
    this.bytes = new Uint8Array(Math.min(expected, bytesMax))
  }

  /** Makes room for so many more bytes. @throws MillraceError `record_too_large` */
  reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.bytes.length) return
    if (needed > this.#bytesMax) throw tooLarge(this.#bytesMax)
    const grown = new Uint8Array(Math.min(Math.max(needed, 2 * this.bytes.length), this.#bytesMax))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  /** Appends `count` bytes of what was written `distance` bytes ago. @throws MillraceError `bad_batch` */
  repeat(distance: number, count: number): void {
    if (distance < 1 || distance > this.length) throw malformed('it refers to what was never there')
    this.reserve(count)
    const { bytes } = this
    let to = this.length
    this.length += count
    if (distance >= count) {
      bytes.copyWithin(to, to - distance, to - distance + count)
      return
    }
    for (const end = this.length; to < end; to++) bytes[to] = bytes[to - distance]!
  }

  take(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
}

export function tooLarge(bytesMax: number): MillraceError {
  return new MillraceError('record_too_large', `a compressed batch holds more than ${bytesMax} bytes of records`)
}

export function malformed(why: string): MillraceError {
  return new MillraceError('bad_batch', `the record batch was refused: it cannot be decompressed, ${why}`)
}
