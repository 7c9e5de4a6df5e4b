// hot path (bench/src/log-store.ts)

/**
 * Memory in small pieces, of which many share an allocation: one of its own for each costs the collector a call for each, in its
 * pauses. A piece keeps its neighbours' memory, so it is for what lives about as long as they do.
 */
export class Slabs {
  #slab = new Uint8Array(SLAB_BYTES)
  #used = 0

  /** The bytes are zero. */
  take(bytes: number): Uint8Array {
    if (bytes > PIECE_BYTES_MAX) return new Uint8Array(bytes)
    if (this.#used + bytes > SLAB_BYTES) {
      this.#slab = new Uint8Array(SLAB_BYTES)
      this.#used = 0
    }
    const from = this.#used
    this.#used += bytes
    return this.#slab.subarray(from, this.#used)
  }
}

const SLAB_BYTES = 65_536
/** Longer pieces are an allocation of their own. */
export const PIECE_BYTES_MAX = 2048
