/**
 * Headers and directories of the commits written last, as bytes: garbage collection wants to see each of them, mostly within seconds,
 * and would have to read the disk once per commit while that is busy with the next ones. The oldest are forgotten first.
 */
// hot path (bench/src/log-store.ts)
export class RecentHeads {
  readonly #bytes: Uint8Array
  /** By sequence, modulo their number: whose they are, and where in the ring. */
  readonly #sequences: Float64Array
  readonly #starts: Float64Array
  readonly #lengths: Float64Array
  /** Of all bytes ever added. The ring holds those from `#end - #bytes.length` on. */
  #end = 0

  constructor(bytesMax: number, commitsMax: number) {
    this.#bytes = new Uint8Array(bytesMax)
    this.#sequences = new Float64Array(commitsMax).fill(-1)
    this.#starts = new Float64Array(commitsMax)
    this.#lengths = new Float64Array(commitsMax)
  }

  /** Copies the head of a commit. Heads that are larger than all room are not kept. */
  add(seq: number, head: Uint8Array): void {
    const size = this.#bytes.length
    if (head.length > size) return
    // None lies across the end of the ring.
    const at = this.#end % size
    if (at + head.length > size) this.#end += size - at
    this.#bytes.set(head, this.#end % size)
    const slot = seq % this.#sequences.length
    this.#sequences[slot] = seq
    this.#starts[slot] = this.#end
    this.#lengths[slot] = head.length
    this.#end += head.length
  }

  /** A copy of what was added. */
  find(seq: number): Uint8Array | undefined {
    const slot = seq % this.#sequences.length
    const start = this.#starts[slot]!
    if (this.#sequences[slot] !== seq || start < this.#end - this.#bytes.length) return undefined
    const at = start % this.#bytes.length
    return this.#bytes.slice(at, at + this.#lengths[slot]!)
  }
}
