// hot path (packages/broker/test/amqp/codec-throughput.mjs)

/** Each that is filled is followed by a larger one, up to this: who writes little has little. */
const SLAB_BYTES_MIN = 512
const SLAB_BYTES_MAX = 32_768
const NOTHING: Uint8Array = new Uint8Array(0)

/** Room for short pieces of bytes that are written one after the other: one allocation for many of them. What was written stays as it is. */
export class Slab {
  bytes: Uint8Array = NOTHING
  /** Where the next byte goes. */
  at = 0

  /**
   * Makes room for `size` bytes at `at`. It may be elsewhere: what was written from `from` on, the piece that is not whole yet, moves along.
   * @returns where that begins now
   */
  reserve(from: number, size: number): number {
    if (this.at + size <= this.bytes.length) return from
    const whole = this.at - from + size
    const usual = Math.min(Math.max(this.bytes.length * 2, SLAB_BYTES_MIN), SLAB_BYTES_MAX)
    const next = new Uint8Array(Math.max(usual, whole * 2))
    next.set(this.bytes.subarray(from, this.at))
    this.bytes = next
    this.at -= from
    return 0
  }

  /** @returns where the copy begins */
  append(bytes: Uint8Array, at: number, length: number): number {
    this.reserve(this.at, length)
    const start = this.at
    this.at = copyBytes(this.bytes, start, bytes, at, length)
    return start
  }

  /** To be called when a piece is whole: what was made for a large one is not kept for the next. */
  release(): void {
    if (this.bytes.length <= SLAB_BYTES_MAX) return
    this.bytes = NOTHING
    this.at = 0
  }
}

const SHORT_BYTES = 64

/** @returns where it ends */
export function copyBytes(to: Uint8Array, toAt: number, bytes: Uint8Array, at: number, length: number): number {
  // A loop beats the call of set() for the short blobs that most messages have.
  if (length < SHORT_BYTES) for (let n = 0; n < length; n++) to[toAt + n] = bytes[at + n]!
  else to.set(length === bytes.length ? bytes : bytes.subarray(at, at + length), toAt)
  return toAt + length
}
