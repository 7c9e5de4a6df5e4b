// hot path (bench/src/log-store.ts)
import { BufferPool } from '@millrace/wire'
import { Held } from '../base/lease.ts'
import { KIB } from '../base/units.ts'

/** A piece of memory that commits share, one after the other. It is held by those that have bytes in it, and while it is being filled. */
export class MemoryBlock extends Held {
  readonly memory: ArrayBuffer
  readonly #pool: BufferPool

  constructor(pool: BufferPool, bytes: number) {
    super()
    this.memory = pool.take(bytes)
    this.#pool = pool
  }

  protected released(): void {
    this.#pool.giveBack(this.memory)
  }
}

/**
 * The memory of commits, from the first byte until the tail cache drops them. All blocks are alike, so that what one commit leaves serves
 * any other: buffers as long as each needs leave holes between them that nobody fits into, and the process grows by those.
 */
export class CommitMemory {
  readonly #shared: BufferPool
  /** Apart, because it makes room for other lengths by forgetting those that it has. */
  readonly #large: BufferPool
  #filling: MemoryBlock | undefined
  #used = 0

  /** @param keptBytesMax of blocks that no commit needs, at most, and a quarter as much of larger ones */
  constructor(keptBytesMax: number) {
    this.#shared = new BufferPool(keptBytesMax)
    this.#large = new BufferPool(keptBytesMax / 4)
  }

  /**
   * Memory with anything in it, for bytes of one commit.
   * @param held the blocks of that commit so far; the one that the memory lies in is added
   */
  take(bytes: number, held: MemoryBlock[]): Uint8Array {
    if (bytes > SHARED_BYTES_MAX) {
      const own = new MemoryBlock(this.#large, bytes)
      held.push(own)
      return new Uint8Array(own.memory, 0, bytes)
    }
    const block = this.#blockFor(bytes)
    if (held.at(-1) !== block && !held.includes(block)) {
      block.hold()
      held.push(block)
    }
    const from = this.#used
    this.#used = from + bytes
    return new Uint8Array(block.memory, from, bytes)
  }

  #blockFor(bytes: number): MemoryBlock {
    if (this.#filling !== undefined && this.#used + bytes <= BLOCK_BYTES) return this.#filling
    this.#filling?.release()
    this.#filling = new MemoryBlock(this.#shared, BLOCK_BYTES)
    this.#used = 0
    return this.#filling
  }
}

const BLOCK_BYTES: number = 512 * KIB
/** Longer ones have a block of their own: at the end of a shared one so much would be lost. */
export const SHARED_BYTES_MAX: number = BLOCK_BYTES / 4
