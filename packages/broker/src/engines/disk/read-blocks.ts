import { Held } from '../../base/lease.ts'
import { KIB, MIB } from '../../base/units.ts'
import type { FileSystem } from './file-system.ts'

/** A MiB from anywhere, as whole blocks, and what is read with it. */
export const READ_BLOCK_BYTES: number = MIB + 128 * KIB
/** Whoever finds none free reads into memory of his own. */
const READ_BLOCKS_MAX = 12

/** Memory that files are read into, again and again: new memory costs as much as the read, page by page, and keeps the garbage collector busy. */
export class ReadBlocks {
  readonly #fileSystem: Pick<FileSystem, 'allocateBlocks'>
  readonly #free: Uint8Array[] = []
  #made = 0

  constructor(fileSystem: Pick<FileSystem, 'allocateBlocks'>) {
    this.#fileSystem = fileSystem
  }

  /** @returns one that the caller holds, or undefined */
  take(): ReadBlock | undefined {
    let bytes = this.#free.pop()
    if (bytes === undefined) {
      if (this.#made === READ_BLOCKS_MAX) return undefined
      this.#made++
      bytes = this.#fileSystem.allocateBlocks(READ_BLOCK_BYTES)
    }
    return new ReadBlock(bytes, this.#free)
  }
}

class ReadBlock extends Held {
  /** `READ_BLOCK_BYTES` of anything. */
  readonly bytes: Uint8Array
  readonly #free: Uint8Array[]

  constructor(bytes: Uint8Array, free: Uint8Array[]) {
    super()
    this.bytes = bytes
    this.#free = free
  }

  protected released(): void {
    this.#free.push(this.bytes)
  }
}
