import { constants, fdatasync, write, writeSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { KIB, MIB } from '../../base/units.ts'
import { openDirect, reopenDirect } from './direct-reader.ts'
import { hasCode, syncOrFail, type AppendFile, type Durability } from './file-system.ts'

/**
 * Blocks go into the page cache, where readers find them. While there are many (`FAST_BYTES_PER_SECOND`) they go past it (O_DIRECT), where there is
 * such a thing: they would fill the page cache sooner than anybody reads them, and on a virtual machine its pages are dear. With durability
 * `fsync` either is one call that ends when the disk has them (O_DSYNC).
 */
export async function openForAppend(path: string, durability: Durability): Promise<AppendFile> {
  if (durability === 'os') return new TwoWayAppendFile(durability, await open(path, 'r+'))
  const { O_RDWR, O_DSYNC } = constants as Partial<typeof constants>
  const direct = O_RDWR === undefined || O_DSYNC === undefined ? undefined : await openDirect(path, O_RDWR | O_DSYNC)
  if (direct === undefined) return new SyncedAppendFile(await open(path, 'r+'))
  return new TwoWayAppendFile(durability, await open(path, O_RDWR! | O_DSYNC!), direct)
}

type Way = 0 | 1
const CACHED = 0
const DIRECT = 1

/** Up to this size the rate does not matter. Into the page cache it is a matter of microseconds; a durable one takes a tenth less past it. */
const SMALL_BYTES_MAX: Readonly<Record<Durability, number>> = { os: 64 * KIB, fsync: 8 * KIB }
const SMALL_WAY: Readonly<Record<Durability, Way>> = { os: CACHED, fsync: DIRECT }

/**
 * Up to this size, and by that way, the broker's own thread writes: waking another one and being woken by it costs as much, and three times
 * as much at p99. A broker with more to do writes more at once.
 */
const AT_ONCE_BYTES_MAX: Readonly<Record<Durability, number>> = { os: 256 * KIB, fsync: 8 * KIB }
/** Unless that takes long: then nothing else may wait for it, for so long after each time. */
const SLOW_MS = 10
const SLOW_FOR_MS = 1000
let slowUntilMs = 0

const FAST_BYTES_PER_SECOND: number = 192 * MIB
/** Less says nothing about the rate. */
const TELLING_BYTES: number = 16 * MIB
/** Whether the last file was written at that rate. A file is written by one way: each change makes the disk write what it has of the last block. */
let isFast = false

class TwoWayAppendFile implements AppendFile {
  readonly #durability: Durability
  readonly #cached: FileHandle
  #direct: FileHandle | undefined
  #way: Way = isFast ? DIRECT : CACHED
  #mayBeDirect = true
  #bytes = 0
  #beganMs = 0
  #endedMs = 0

  /** @param direct opened when it is needed, without one */
  constructor(durability: Durability, cached: FileHandle, direct?: FileHandle) {
    this.#durability = durability
    this.#cached = cached
    this.#direct = direct
  }

  async append(blocks: Uint8Array, position: number): Promise<number> {
    if (this.#bytes === 0) this.#beganMs = performance.now()
    const written = await this.#append(blocks, position)
    this.#bytes += written
    this.#endedMs = performance.now()
    return written
  }

  async close(): Promise<void> {
    if (this.#bytes >= TELLING_BYTES) isFast = this.#bytes / (this.#endedMs - this.#beganMs) >= FAST_BYTES_PER_SECOND / 1000
    await this.#direct?.close()
    await this.#cached.close()
  }

  async #append(blocks: Uint8Array, position: number): Promise<number> {
    const way = blocks.length <= SMALL_BYTES_MAX[this.#durability] ? SMALL_WAY[this.#durability] : this.#way
    if (way === DIRECT && this.#mayBeDirect) {
      try {
        this.#direct ??= await reopenDirect(this.#cached.fd, constants.O_RDWR)
        if (this.#direct !== undefined) return await this.#write(DIRECT, this.#direct, blocks, position)
      } catch (error) {
        // The disk wants other boundaries, or the file system refuses after all.
        if (!hasCode(error, 'EINVAL')) throw error
      }
      this.#mayBeDirect = false
    }
    return this.#write(CACHED, this.#cached, blocks, position)
  }

  #write(way: Way, { fd }: FileHandle, blocks: Uint8Array, position: number): number | Promise<number> {
    const isAtOnce = way === SMALL_WAY[this.#durability] && blocks.length <= AT_ONCE_BYTES_MAX[this.#durability]
    const startedMs = performance.now()
    if (!isAtOnce || startedMs < slowUntilMs) return writeAt(fd, blocks, position)
    const written = writeSync(fd, blocks, 0, blocks.length, position)
    const endedMs = performance.now()
    if (endedMs - startedMs >= SLOW_MS) slowUntilMs = endedMs + SLOW_FOR_MS
    return written
  }
}

/** Where nothing goes past the page cache. */
class SyncedAppendFile implements AppendFile {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async append(blocks: Uint8Array, position: number): Promise<number> {
    const { fd } = this.#handle
    const written = await writeAt(fd, blocks, position)
    const synced = new Promise<void>((resolve, reject) => {
      fdatasync(fd, (error) => (error === null ? resolve() : reject(error)))
    })
    await syncOrFail(synced)
    return written
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** The callback calls on the descriptor: half the cost of the FileHandle methods. */
export function writeAt(fd: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, position, (error, written) => (error === null ? resolve(written) : reject(error)))
  })
}
