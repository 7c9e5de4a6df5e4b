// hot path (bench/src/log-store.ts)
import { BufferPool } from '@millrace/wire'
import { KIB } from '../base/units.ts'

/** A piece of memory that commits share, one after the other. */
export interface MemoryBlock {
  readonly memory: ArrayBuffer
  /** Commits that have bytes in it, and one more while it is being filled. */
  holders: number
  /** Somebody was given a view of it, and may keep that. */
  isShown: boolean
}

/**
 * The memory of commits, from the first byte until the tail cache drops them. All blocks are alike, so that what one commit leaves serves
 * any other: buffers as long as each needs leave holes between them that nobody fits into, and the process grows by those.
 */
export class CommitMemory {
  readonly #shared: BufferPool
  /** Apart, because it makes room for other lengths by forgetting those that it has. */
  readonly #large: BufferPool
  #filling: MemoryBlock
  #used = 0

  /** @param keptBytesMax of blocks that no commit needs, at most, and a quarter as much of larger ones */
  constructor(keptBytesMax: number) {
    this.#shared = new BufferPool(keptBytesMax)
    this.#large = new BufferPool(keptBytesMax / 4)
    this.#filling = EMPTY
  }

  /**
   * Memory with anything in it, for bytes of one commit.
   * @param held the blocks of that commit so far; the one that the memory lies in is added
   */
  take(bytes: number, held: MemoryBlock[]): Uint8Array {
    if (bytes > SHARED_BYTES_MAX) {
      const own = newBlock(this.#large, bytes)
      held.push(own)
      return new Uint8Array(own.memory, 0, bytes)
    }
    if (this.#used + bytes > this.#filling.memory.byteLength) {
      if (this.#filling !== EMPTY) this.release(this.#filling)
      this.#filling = newBlock(this.#shared, BLOCK_BYTES)
      this.#used = 0
    }
    const block = this.#filling
    if (held.at(-1) !== block && !held.includes(block)) {
      block.holders++
      held.push(block)
    }
    const from = this.#used
    this.#used = from + bytes
    return new Uint8Array(block.memory, from, bytes)
  }

  /** A commit needs the block no more, nor do those who were shown it. */
  release(block: MemoryBlock): void {
    if (--block.holders > 0 || block.isShown) return
    const pool = block.memory.byteLength === BLOCK_BYTES ? this.#shared : this.#large
    pool.giveBack(block.memory)
  }
}

function newBlock(pool: BufferPool, bytes: number): MemoryBlock {
  return { memory: pool.take(bytes), holders: 1, isShown: false }
}

const BLOCK_BYTES: number = 512 * KIB
/** Longer ones have a block of their own: at the end of a shared one so much would be lost. */
const SHARED_BYTES_MAX: number = BLOCK_BYTES / 4
const EMPTY: MemoryBlock = { memory: new ArrayBuffer(0), holders: 1, isShown: false }
