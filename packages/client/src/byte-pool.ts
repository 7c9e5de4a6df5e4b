// hot path (bench/src/native.ts)
import { BufferPool } from '@millrace/wire'

const SLAB_BYTES = 65_536
/** From this size on, bytes get a buffer of their own. */
const OWN_BYTES_MIN = 8192
/** What is kept for reuse: more than is confirmed at once. */
const KEPT_BYTES_MAX: number = 16 * 1024 * 1024

/** Copies that live until they are given back, or as long as somebody keeps them. Small ones share a buffer: making one costs more than filling it. */
export class BytePool {
  #slab = new Uint8Array(0)
  #at = 0
  readonly #large = new BufferPool(KEPT_BYTES_MAX)

  copy(bytes: Uint8Array): Uint8Array {
    const isLarge = bytes.length >= OWN_BYTES_MIN
    const copy = isLarge ? new Uint8Array(this.#large.take(bytes.length), 0, bytes.length) : this.#part(bytes.length)
    copy.set(bytes)
    return copy
  }

  /** Nobody looks at a copy any more. */
  giveBack(copy: Uint8Array): void {
    if (copy.length >= OWN_BYTES_MIN) this.#large.giveBack(copy.buffer as ArrayBuffer)
  }

  #part(length: number): Uint8Array {
    if (this.#at + length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES)
      this.#at = 0
    }
    this.#at += length
    return new Uint8Array(this.#slab.buffer, this.#at - length, length)
  }
}
