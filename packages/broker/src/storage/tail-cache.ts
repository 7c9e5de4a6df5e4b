// hot path (bench/src/log-store.ts)
import type { Lease } from '../base/lease.ts'
import type { MemoryBlock } from './commit-memory.ts'
import { PIECE_BYTES_MAX, Slabs } from './slabs.ts'

/** The payload of one commit, as it was written: parts and the byte of the commit at which each begins. */
export interface CommitBytes {
  readonly starts: readonly number[]
  readonly parts: readonly Uint8Array[]
  readonly bytes: number
  /** What parts lie in, as far as it is not memory of their own. */
  readonly blocks: readonly MemoryBlock[]
}

/** Memory that small commits share. */
interface Slab {
  readonly memory: Uint8Array
  used: number
}

/** The newest commits, for deliveries that keep up. Bounded by bytes, oldest out. */
export class TailCache {
  readonly #bytesMax: number
  readonly #copies = new Slabs()
  /** Commit `#first + n` is at slot n + #head. Of a small one this is the slab that its bytes were copied to. */
  #commits: (CommitBytes | Slab | undefined)[] = []
  /** Of a small commit: where its bytes are in the slab, how many, and the byte of the commit at which they begin. */
  #at: number[] = []
  #length: number[] = []
  #start: number[] = []
  #slab: Slab = { memory: new Uint8Array(0), used: 0 }
  #head = 0
  #first = 0
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Commits must come in order. */
  add(seq: number, commit: CommitBytes): void {
    if (seq !== this.#first + this.#commits.length - this.#head) this.#clear(seq)
    if (isSmall(commit)) this.#addSmall(commit)
    else this.#push(commit, 0, 0, 0, commit.bytes + OVERHEAD_BYTES)
    this.#shrink(this.#bytesMax)
    if (this.#head > 1024 && this.#head * 2 > this.#commits.length) {
      for (const column of [this.#commits, this.#at, this.#length, this.#start]) column.splice(0, this.#head)
      this.#head = 0
    }
  }

  /** So many bytes are on their way to the journal: with them it takes no more than without, as far as half of it makes room for that. */
  leaveRoomFor(bytes: number): void {
    this.#shrink(this.#bytesMax - Math.min(bytes, this.#bytesMax / 2))
  }

  /** Whether commit `seq` is here. */
  holds(seq: number): boolean {
    return seq >= this.#first && seq - this.#first + this.#head < this.#commits.length
  }

  /**
   * `length` bytes at byte `position` of commit `seq`, or undefined if they are not here. The range lies inside one part. Few of them are
   * copied: a view costs the whole block that it lies in.
   * @param lease gets what they lie in; without one they are the caller's, and the block is not used again
   */
  get(seq: number, position: number, length: number, lease?: Lease): Uint8Array | undefined {
    if (seq < this.#first) return undefined
    const slot = seq - this.#first + this.#head
    const commit = this.#commits[slot]
    if (commit === undefined) return undefined
    if ('memory' in commit) {
      const from = position - this.#start[slot]!
      if (from < 0 || from + length > this.#length[slot]!) return undefined
      return commit.memory.subarray(this.#at[slot]! + from, this.#at[slot]! + from + length)
    }
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
    const view = part.subarray(from, from + length)
    if (length <= (lease === undefined ? COPIED_BYTES_MAX : COPIED_FOR_LEASE_BYTES_MAX)) {
      const copy = this.#copies.take(length)
      copy.set(view)
      return copy
    }
    const block = commit.blocks.find(({ memory }) => memory === part.buffer)
    if (block !== undefined && lease !== undefined) lease.add(block)
    else block?.hold()
    return view
  }

  /**
   * The objects of a commit would outlive the young generation of the collector, which copies what it finds alive: with many small
   * commits that is what its pauses consist of.
   */
  #addSmall({ starts, parts, bytes }: CommitBytes): void {
    if (this.#slab.used + bytes > this.#slab.memory.length) this.#slab = { memory: new Uint8Array(SLAB_BYTES), used: 0 }
    const slab = this.#slab
    const at = slab.used
    for (const part of parts) {
      slab.memory.set(part, slab.used)
      slab.used += part.length
    }
    this.#push(slab, at, bytes, starts[0] ?? 0, bytes + SMALL_OVERHEAD_BYTES)
  }

  #push(commit: CommitBytes | Slab, at: number, length: number, start: number, bytes: number): void {
    this.#commits.push(commit)
    this.#at.push(at)
    this.#length.push(length)
    this.#start.push(start)
    this.#bytes += bytes
  }

  #shrink(bytesMax: number): void {
    while (this.#bytes > bytesMax && this.#head < this.#commits.length) this.#dropOldest()
  }

  #dropOldest(): void {
    const slot = this.#head++
    const commit = this.#commits[slot]!
    this.#commits[slot] = undefined
    this.#first++
    if ('memory' in commit) {
      this.#bytes -= this.#length[slot]! + SMALL_OVERHEAD_BYTES
      return
    }
    this.#bytes -= commit.bytes + OVERHEAD_BYTES
    for (const block of commit.blocks) block.release()
  }

  #clear(first: number): void {
    this.#commits = []
    this.#at = []
    this.#length = []
    this.#start = []
    this.#head = 0
    this.#first = first
    this.#bytes = 0
  }
}

/** Few bytes, one after the other in the commit. */
function isSmall({ starts, parts, bytes, blocks }: CommitBytes): boolean {
  if (bytes > PIECE_BYTES_MAX || blocks.length > 0) return false
  for (let n = 1; n < parts.length; n++) if (starts[n] !== starts[n - 1]! + parts[n - 1]!.length) return false
  return true
}

const COPIED_BYTES_MAX = 65_536
/** A block comes back from whoever holds a lease, however slow. Until then it costs at most so many times what was asked for: 16. */
const COPIED_FOR_LEASE_BYTES_MAX = 32_768
const SLAB_BYTES = 65_536
/** What a commit costs besides its payload: a few objects. */
const OVERHEAD_BYTES = 500
/** What a small one costs: its place in the columns. */
const SMALL_OVERHEAD_BYTES = 32
