// hot path (bench/src/native.ts, bench/src/log-store.ts)

const STEP_BYTES_MIN = 8192

/**
 * Large buffers that are used again: made anew for each batch they keep the garbage collector busy, which counts their bytes and
 * walks the whole heap for each so many. What is kept is bounded.
 */
export class BufferPool {
  readonly #keptBytesMax: number
  /** By length. */
  readonly #kept = new Map<number, ArrayBuffer[]>()
  #keptBytes = 0

  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax
  }

  /** A buffer of at least `bytes`, with anything in it. */
  take(bytes: number): ArrayBuffer {
    const length = roundedUp(bytes)
    const buffer = this.#kept.get(length)?.pop()
    if (buffer === undefined) return new ArrayBuffer(length)
    this.#keptBytes -= length
    return buffer
  }

  /** Nobody looks at a buffer of `take` any more. */
  giveBack(buffer: ArrayBuffer): void {
    const length = buffer.byteLength
    if (this.#keptBytes + length > this.#keptBytesMax) {
      const sameBytes = (this.#kept.get(length)?.length ?? 0) * length
      if (length > this.#keptBytesMax || sameBytes === this.#keptBytes) return
      // Other lengths are wanted now than most of those that are kept.
      this.#kept.clear()
      this.#keptBytes = 0
    }
    this.#keptBytes += length
    const kept = this.#kept.get(length)
    if (kept === undefined) this.#kept.set(length, [buffer])
    else kept.push(buffer)
  }
}

/** By an eighth at most, so that buffers of about the same length are of the same. */
function roundedUp(bytes: number): number {
  const step = Math.max(STEP_BYTES_MIN, 2 ** (28 - Math.clz32(bytes)))
  return Math.ceil(bytes / step) * step
}
