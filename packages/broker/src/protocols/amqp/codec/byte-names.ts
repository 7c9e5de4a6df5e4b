// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import { encodeName } from '@millrace/wire'
import { isSame } from './hot-methods.ts'

const NONE: readonly number[] = []

/** Finds names among bytes without decoding them. */
export class ByteNames {
  readonly #names: readonly Uint8Array[]
  /** Their places in the list, by the length of the names. */
  readonly #byLength: (readonly number[])[] = []

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => encodeName(name))
    for (const [n, { length }] of this.#names.entries()) this.#byLength[length] = [...this.#ofLength(length), n]
  }

  /** @returns its place in the list, or -1 */
  indexOf(bytes: Uint8Array, at: number, length: number): number {
    const candidates = this.#ofLength(length)
    for (let n = 0; n < candidates.length; n++) {
      const index = candidates[n]!
      if (isSame(bytes, at, this.#names[index]!, length)) return index
    }
    return -1
  }

  #ofLength(length: number): readonly number[] {
    return length < this.#byLength.length ? (this.#byLength[length] ?? NONE) : NONE
  }
}

/** Whether they are the same as bytes and as text, whatever decodes them. */
export function isAscii(bytes: Uint8Array, at: number, end: number): boolean {
  for (let n = at; n < end; n++) if (bytes[n]! >= 0x80) return false
  return true
}

/** Whether `name` is among the first of `count` pieces. @param places where each begins and ends, one after the other */
export function isAmong(bytes: Uint8Array, places: Int32Array, count: number, at: number, end: number): boolean {
  for (let n = 0; n < count; n++) {
    const otherAt = places[2 * n]!
    if (places[2 * n + 1]! - otherAt === end - at && isSameRange(bytes, otherAt, at, end)) return true
  }
  return false
}

function isSameRange(bytes: Uint8Array, otherAt: number, at: number, end: number): boolean {
  for (let n = at; n < end; n++) if (bytes[otherAt + n - at] !== bytes[n]) return false
  return true
}
