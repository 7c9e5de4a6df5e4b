import { constants, fdatasync, write, writeSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { KIB } from '../../base/units.ts'
import { openDirect, reopenDirect } from './direct-reader.ts'
import { FasterWay } from './faster-way.ts'
import { hasCode, syncOrFail, type AppendFile, type Durability } from './file-system.ts'

/**
 * With durability `fsync` blocks go to the disk by one call that bypasses the page cache (O_DIRECT, O_DSYNC), where there is such a
 * thing: the copy into fresh pages of the cache costs several times what the disk takes. Readers that keep up have the tail
 * cache. With durability `os` the page cache is what makes it fast, but for large writes where memory is dear or the disk is fast.
 */
export async function openForAppend(path: string, durability: Durability): Promise<AppendFile> {
  if (durability === 'os') return new CachedAppendFile(await open(path, 'r+'))
  const { O_RDWR, O_DSYNC } = constants as Partial<typeof constants>
  const direct = O_RDWR === undefined || O_DSYNC === undefined ? undefined : await openDirect(path, O_RDWR | O_DSYNC)
  return new DurableAppendFile(path, direct ?? (await open(path, 'r+')), direct !== undefined)
}

let slowUntilMs = 0

/** Smaller writes into the page cache are done at once: they take 2 us, a trip through the thread pool 15. */
const CACHED_AT_ONCE_BYTES_MAX: number = 64 * KIB
/**
 * So are durable ones up to this size, which are those of a broker with little to do: waking a thread and being woken by it costs as
 * much as the disk, and three times as much at p99. A broker with more to do writes more at once.
 */
const DURABLE_AT_ONCE_BYTES_MAX: number = 8 * KIB
/** Unless the disk is slow: then nothing else may wait for it, for so long after each time. */
const SLOW_MS = 10
const SLOW_FOR_MS = 1000

/**
 * The disk may take so many times as long as the copy into the page cache. Waiting for it leaves the processor to others, and when there are
 * many of those either way takes as long as it takes to have a turn.
 */
const DIRECT_ALLOWANCE = 4
/** Of all files, by size: up to twice the smallest, up to four times, and so on; the last has all that are larger. The second way is the disk. */
const largeWrites: readonly FasterWay[] = Array.from({ length: 5 }, () => new FasterWay(DIRECT_ALLOWANCE))
const DIRECT = 1

class CachedAppendFile implements AppendFile {
  readonly #handle: FileHandle
  #direct: FileHandle | undefined
  #mayBeDirect = true

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async append(blocks: Uint8Array, position: number): Promise<number> {
    const { fd } = this.#handle
    if (blocks.length <= CACHED_AT_ONCE_BYTES_MAX) return writeSync(fd, blocks, 0, blocks.length, position)
    if (!this.#mayBeDirect) return writeAt(fd, blocks, position)
    const ways = waysFor(blocks.length)
    const startedMs = performance.now()
    const way = ways.choose(startedMs)
    const written =
      (way === DIRECT ? await this.#appendDirect(blocks, position) : undefined) ?? (await writeAt(fd, blocks, position))
    const endedMs = performance.now()
    if (this.#mayBeDirect) ways.took(way, blocks.length, endedMs - startedMs, endedMs)
    return written
  }

  async close(): Promise<void> {
    await this.#direct?.close()
    await this.#handle.close()
  }

  /** @returns undefined where the system, the file system or the disk does not do that */
  async #appendDirect(blocks: Uint8Array, position: number): Promise<number | undefined> {
    try {
      this.#direct ??= await reopenDirect(this.#handle.fd, constants.O_RDWR)
      if (this.#direct !== undefined) return await writeAt(this.#direct.fd, blocks, position)
    } catch (error) {
      if (!hasCode(error, 'EINVAL')) throw error
    }
    this.#mayBeDirect = false
    return undefined
  }
}

function waysFor(bytes: number): FasterWay {
  const doublings = Math.floor(Math.log2(bytes / CACHED_AT_ONCE_BYTES_MAX))
  return largeWrites[Math.min(doublings, largeWrites.length - 1)]!
}

class DurableAppendFile implements AppendFile {
  readonly #path: string
  #handle: FileHandle
  #isDirect: boolean

  constructor(path: string, handle: FileHandle, isDirect: boolean) {
    this.#path = path
    this.#handle = handle
    this.#isDirect = isDirect
  }

  async append(blocks: Uint8Array, position: number): Promise<number> {
    if (!this.#isDirect) return this.#appendAndSync(blocks, position)
    try {
      if (blocks.length <= DURABLE_AT_ONCE_BYTES_MAX && performance.now() >= slowUntilMs) return this.#appendNow(blocks, position)
      return await writeAt(this.#handle.fd, blocks, position)
    } catch (error) {
      if (!hasCode(error, 'EINVAL')) throw error
    }
    // The disk wants other boundaries, or the file system refuses after all.
    await this.#handle.close()
    this.#handle = await open(this.#path, 'r+')
    this.#isDirect = false
    return this.#appendAndSync(blocks, position)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  #appendNow(blocks: Uint8Array, position: number): number {
    const startedMs = performance.now()
    const written = writeSync(this.#handle.fd, blocks, 0, blocks.length, position)
    const endedMs = performance.now()
    if (endedMs - startedMs >= SLOW_MS) slowUntilMs = endedMs + SLOW_FOR_MS
    return written
  }

  async #appendAndSync(blocks: Uint8Array, position: number): Promise<number> {
    const { fd } = this.#handle
    const written = await writeAt(fd, blocks, position)
    const synced = new Promise<void>((resolve, reject) => {
      fdatasync(fd, (error) => (error === null ? resolve() : reject(error)))
    })
    await syncOrFail(synced)
    return written
  }
}

/** The callback calls on the descriptor: half the cost of the FileHandle methods. */
export function writeAt(fd: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, position, (error, written) => (error === null ? resolve(written) : reject(error)))
  })
}
