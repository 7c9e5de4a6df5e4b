// hot path (bench/src/log-store.ts)
import type { BufferPool } from '@millrace/wire'

/** The payload of one commit, as it was written: parts and the byte of the commit at which each begins. */
export interface CommitBytes {
  readonly starts: readonly number[]
  readonly parts: readonly Uint8Array[]
  readonly bytes: number
  /** What parts lie in, as far as it is of the pool. */
  readonly buffers: readonly ArrayBuffer[]
}

interface CachedCommit extends CommitBytes {
  /** Somebody was given a view of it, and may keep that. */
  isShown: boolean
}

/** The newest commits, for deliveries that keep up. Bounded by bytes, oldest out. */
export class TailCache {
  readonly #bytesMax: number
  readonly #pool: BufferPool
  /** Commit `#first + n` is at slot n + #head. */
  #commits: (CachedCommit | undefined)[] = []
  #head = 0
  #first = 0
  #bytes = 0

  /** @param pool gets back the memory of commits that nobody saw */
  constructor(bytesMax: number, pool: BufferPool) {
    this.#bytesMax = bytesMax
    this.#pool = pool
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Commits must come in order. */
  add(seq: number, commit: CommitBytes): void {
    if (seq !== this.#first + this.#commits.length - this.#head) this.#clear(seq)
    this.#commits.push({ ...commit, isShown: false })
    this.#bytes += commit.bytes + OVERHEAD_BYTES
    while (this.#bytes > this.#bytesMax && this.#head < this.#commits.length) this.#dropOldest()
    if (this.#head > 1024 && this.#head * 2 > this.#commits.length) {
      this.#commits.splice(0, this.#head)
      this.#head = 0
    }
  }

  /** A view of `length` bytes at byte `position` of commit `seq`, or undefined if they are not here. The range lies inside one part. */
  get(seq: number, position: number, length: number): Uint8Array | undefined {
    if (seq < this.#first) return undefined
    const commit = this.#commits[seq - this.#first + this.#head]
    if (commit === undefined) return undefined
    const starts = commit.starts
    let low = 0
    let high = starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts[middle]! <= position) low = middle + 1
      else high = middle
    }
    if (low === 0) return undefined
    const from = position - starts[low - 1]!
    const part = commit.parts[low - 1]!
    if (from + length > part.length) return undefined
    commit.isShown = true
    return part.subarray(from, from + length)
  }

  #dropOldest(): void {
    const { bytes, buffers, isShown } = this.#commits[this.#head]!
    this.#bytes -= bytes + OVERHEAD_BYTES
    this.#commits[this.#head++] = undefined
    if (!isShown) for (const buffer of buffers) this.#pool.giveBack(buffer)
    this.#first++
  }

  #clear(first: number): void {
    this.#commits = []
    this.#head = 0
    this.#first = first
    this.#bytes = 0
  }
}

/** What a commit costs besides its payload: a few objects. */
const OVERHEAD_BYTES = 500
