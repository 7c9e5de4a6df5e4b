// hot path (bench: end to end over TCP)

/** Chunks below this are copied together: a system call per small frame costs more than the copy. */
const SMALL_BYTES = 4096
const JOINED_BYTES_MAX = 65_536

/** Chunks on their way out, joined into few large writes. */
export class OutputQueue {
  #chunks: Uint8Array[] = []
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  push(chunks: readonly Uint8Array[]): void {
    for (let n = 0; n < chunks.length; n++) {
      const chunk = chunks[n]!
      if (chunk.length === 0) continue
      this.#chunks.push(chunk)
      this.#bytes += chunk.length
    }
  }

  /** Hands over everything, in order, as few buffers. */
  take(): readonly Uint8Array[] {
    const chunks = this.#chunks
    this.#chunks = []
    this.#bytes = 0
    if (chunks.length < 2) return chunks
    const joined: Uint8Array[] = []
    let from = 0
    while (from < chunks.length) {
      let bytes = chunks[from]!.length
      let to = from + 1
      if (bytes < SMALL_BYTES) {
        while (to < chunks.length && chunks[to]!.length < SMALL_BYTES && bytes + chunks[to]!.length <= JOINED_BYTES_MAX)
          bytes += chunks[to++]!.length
      }
      joined.push(to === from + 1 ? chunks[from]! : join(chunks, from, to, bytes))
      from = to
    }
    return joined
  }
}

function join(chunks: readonly Uint8Array[], from: number, to: number, bytes: number): Uint8Array {
  const joined = Buffer.allocUnsafe(bytes)
  let at = 0
  for (let n = from; n < to; n++) {
    joined.set(chunks[n]!, at)
    at += chunks[n]!.length
  }
  return joined
}
