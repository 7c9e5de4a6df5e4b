// hot path (bench/src/native.ts)
import { BufferPool } from '@millrace/wire'

const SLAB_BYTES = 65_536
/** From this size on, bytes get a buffer of their own. */
const OWN_BYTES_MIN = 8192
/** What is kept for reuse, of slabs and of large buffers each: more than is confirmed at once. */
const KEPT_BYTES_MAX: number = 16 * 1024 * 1024

/** A buffer that copies share. */
interface Slab {
  readonly bytes: Uint8Array
  used: number
  /** Copies in it that were not given back. */
  copies: number
}

/**
 * Copies that live until they are given back, or as long as somebody keeps them. Small ones share a buffer: making one costs more than
 * filling it. Buffers whose copies were all given back are used again.
 */
export class BytePool {
  #slab = newSlab()
  readonly #slabs = new WeakMap<ArrayBufferLike, Slab>([[this.#slab.bytes.buffer, this.#slab]])
  readonly #free: Slab[] = []
  readonly #large = new BufferPool(KEPT_BYTES_MAX)

  copy(bytes: Uint8Array): Uint8Array {
    const isLarge = bytes.length >= OWN_BYTES_MIN
    const copy = isLarge ? new Uint8Array(this.#large.take(bytes.length), 0, bytes.length) : this.#part(bytes.length)
    copy.set(bytes)
    return copy
  }

  /** Nobody looks at a copy any more. */
  giveBack(copy: Uint8Array): void {
    if (copy.length >= OWN_BYTES_MIN) return this.#large.giveBack(copy.buffer as ArrayBuffer)
    const slab = this.#slabs.get(copy.buffer)
    if (slab === undefined || --slab.copies > 0 || slab === this.#slab) return
    if (this.#free.length * SLAB_BYTES < KEPT_BYTES_MAX) this.#free.push(slab)
  }

  #part(length: number): Uint8Array {
    if (this.#slab.used + length > SLAB_BYTES) this.#slab = this.#nextSlab()
    const slab = this.#slab
    const at = slab.used
    slab.used += length
    slab.copies++
    return new Uint8Array(slab.bytes.buffer, at, length)
  }

  #nextSlab(): Slab {
    const slab = this.#slab.copies === 0 ? this.#slab : (this.#free.pop() ?? newSlab())
    slab.used = 0
    this.#slabs.set(slab.bytes.buffer, slab)
    return slab
  }
}

function newSlab(): Slab {
  return { bytes: new Uint8Array(SLAB_BYTES), used: 0, copies: 0 }
}
