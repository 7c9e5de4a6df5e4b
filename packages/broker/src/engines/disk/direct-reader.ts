/** Reads of a file that bypass the page cache. */
// hot path (bench/src/peers/compare-kafka.ts, consume)
import { constants, read } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { isWholeBlocks } from './aligned-memory.ts'
import { BLOCK_BYTES, hasCode } from './file-system.ts'

/** One file. */
export class DirectReader {
  readonly #fd: number
  #opening: Promise<FileHandle | undefined> | undefined
  #isRefused = false

  /** @param fd the file, open until `close`: by now it may have another name, and another file its own */
  constructor(fd: number) {
    this.#fd = fd
  }

  /** @returns bytes read, perhaps fewer than asked for; undefined if it has to be done in another way, this time or ever */
  async read(into: Uint8Array, position: number): Promise<number | undefined> {
    if (this.#isRefused || position % BLOCK_BYTES > 0 || !isWholeBlocks(into)) return undefined
    try {
      const handle = await (this.#opening ??= reopenDirect(this.#fd, constants.O_RDONLY))
      return handle === undefined ? undefined : await readAt(handle.fd, into, position)
    } catch (error) {
      // The disk wants other boundaries, or the file system refuses after all. Other reads may be under way: closing has time.
      if (!hasCode(error, 'EINVAL')) throw error
      this.#isRefused = true
      return undefined
    }
  }

  async close(): Promise<void> {
    const handle = await this.#opening
    this.#opening = undefined
    await handle?.close()
  }
}

/** @returns undefined where the system or the file system knows nothing of it */
export async function openDirect(path: string, flags: number): Promise<FileHandle | undefined> {
  const { O_DIRECT } = constants as Partial<typeof constants>
  if (O_DIRECT === undefined) return undefined
  try {
    return await open(path, flags | O_DIRECT)
  } catch (error) {
    if (hasCode(error, 'EINVAL')) return undefined
    throw error
  }
}

/** By Linux's name for what a descriptor is open for, whatever has the name of the file now. */
export async function reopenDirect(fd: number, flags: number): Promise<FileHandle | undefined> {
  try {
    return await openDirect(`/proc/self/fd/${fd}`, flags)
  } catch {
    // No such name here, or not for this user, or too many open files: whoever goes through the cache meets what is really wrong.
    return undefined
  }
}

export function readAt(fd: number, into: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, into, 0, into.length, position, (error, count) => (error === null ? resolve(count) : reject(error)))
  })
}
