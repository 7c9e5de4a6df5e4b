import { fdatasync, fstat, ftruncate, readSync } from 'node:fs'
import { open as openFile, readdir, rename, statfs, unlink, type FileHandle } from 'node:fs/promises'
import { allocateBlocks } from './aligned-memory.ts'
import { CachePace, TELLING_BYTES } from './cache-pace.ts'
import { DirectReader, readAt } from './direct-reader.ts'
import { lockDirectory } from './directory-lock.ts'
import { FasterWay } from './faster-way.ts'
import type { AppendFile, DirectoryLock, Durability, File, FileSizes, FileSystem } from './file-system.ts'
import { openForAppend, writeAt } from './node-append-file.ts'

/** What comes through the page cache may take a little longer: the next reader finds it there. */
const DIRECT_ALLOWANCE = 0.6
const CACHED = 0
const DIRECT = 1

/** The operating system's files. */
export const nodeFileSystem: FileSystem = {
  lock(directory: string): Promise<DirectoryLock> {
    return lockDirectory(directory)
  },
  list(directory: string): Promise<string[]> {
    return readdir(directory)
  },
  async open(path: string, create: boolean): Promise<File> {
    return new NodeFile(await openFile(path, create ? 'wx+' : 'r+'))
  },
  openForAppend(path: string, durability: Durability): Promise<AppendFile> {
    return openForAppend(path, durability)
  },
  allocateBlocks,
  rename,
  remove: unlink,
  async syncDirectory(directory: string): Promise<void> {
    // Windows cannot open directories, and makes their entries durable by itself.
    if (process.platform === 'win32') return
    const handle = await openFile(directory, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  async availableBytes(directory: string): Promise<number> {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  },
}

const ALLOCATION_UNIT_BYTES = 512

/** The callback calls on the descriptor: half the cost of the FileHandle methods. */
class NodeFile implements File {
  readonly #handle: FileHandle
  readonly #fd: number
  readonly #direct: DirectReader
  /** Some files are in the page cache, and others are not. */
  readonly #ways = new FasterWay(DIRECT_ALLOWANCE)
  readonly #pace = new CachePace()

  constructor(handle: FileHandle) {
    this.#handle = handle
    this.#fd = handle.fd
    this.#direct = new DirectReader(handle.fd)
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    return writeAt(this.#fd, bytes, position)
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    return this.#pace.isAtOnce ? this.#readAtOnce(into, position) : readAt(this.#fd, into, position)
  }

  async readOnce(into: Uint8Array, position: number): Promise<number> {
    if (this.#pace.isAtOnce) return this.#readAtOnce(into, position)
    const begun = this.#pace.begin()
    const past = this.#ways.choose(begun.startedMs) === DIRECT ? await this.#direct.read(into, position) : undefined
    const count = past ?? (await readAt(this.#fd, into, position))
    const endedMs = performance.now()
    if (count >= TELLING_BYTES) this.#ways.took(past === undefined ? CACHED : DIRECT, count, endedMs - begun.startedMs, endedMs)
    if (past === undefined) this.#pace.end(begun, count, false)
    return count
  }

  #readAtOnce(into: Uint8Array, position: number): number {
    const begun = this.#pace.begin()
    const count = readSync(this.#fd, into, 0, into.length, position)
    this.#pace.end(begun, count, true)
    return count
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#fd, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  sizes(): Promise<FileSizes> {
    return new Promise((resolve, reject) => {
      fstat(this.#fd, (error, stats) =>
        error === null ? resolve({ bytes: stats.size, allocatedBytes: stats.blocks * ALLOCATION_UNIT_BYTES }) : reject(error),
      )
    })
  }

  truncate(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      ftruncate(this.#fd, bytes, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  async close(): Promise<void> {
    await this.#direct.close()
    await this.#handle.close()
  }
}
