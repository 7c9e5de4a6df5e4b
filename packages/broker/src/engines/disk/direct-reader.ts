/** Reads of a file that bypass the page cache. */
// hot path (bench/src/peers/compare-kafka.ts, consume)
import { constants, read } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { KIB } from '../../base/units.ts'
import { isWholeBlocks } from './aligned-memory.ts'
import { BLOCK_BYTES, hasCode } from './file-system.ts'

/** A disk that takes longer over large reads, on average, is one whose data is worth keeping in the page cache. It is tried again after a while. */
const SLOW_MS = 6
const SLOW_FOR_MS = 1000
/** Smaller ones tell more of the wait for a thread than of the disk. */
const LARGE_BYTES: number = 512 * KIB
/** What the last read counts for in the average: others on the processor make single ones late. */
const LAST_SHARE = 0.1

let averageMs = 0
let slowUntilMs = 0

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
    if (this.#isRefused || position % BLOCK_BYTES > 0 || !isWholeBlocks(into) || isSlow()) return undefined
    try {
      const handle = await (this.#opening ??= reopenDirect(this.#fd, constants.O_RDONLY))
      if (handle === undefined) return undefined
      const startedMs = performance.now()
      const count = await readAt(handle.fd, into, position)
      if (count >= LARGE_BYTES) took(performance.now() - startedMs)
      return count
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

function isSlow(): boolean {
  return performance.now() < slowUntilMs
}

function took(ms: number): void {
  averageMs += (ms - averageMs) * LAST_SHARE
  if (averageMs < SLOW_MS) return
  averageMs = 0
  slowUntilMs = performance.now() + SLOW_FOR_MS
}
