// hot path (bench/src/native.ts)

const SLAB_BYTES = 65_536
/** From this size on, bytes get a buffer of their own. */
const OWN_BYTES_MIN = 8192

/** Copies that live as long as somebody keeps them. Small ones share a buffer: making one costs more than filling it. */
export class BytePool {
  #slab = new Uint8Array(0)
  #at = 0

  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length >= OWN_BYTES_MIN) return bytes.slice()
    if (this.#at + bytes.length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES)
      this.#at = 0
    }
    this.#slab.set(bytes, this.#at)
    const copy = new Uint8Array(this.#slab.buffer, this.#at, bytes.length)
    this.#at += bytes.length
    return copy
  }
}
