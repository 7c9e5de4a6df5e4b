import type { Random } from '../../ports/platform.ts'
import type { FaultCall, FaultFileSystem } from './fault-file-system.ts'
import { BLOCK_BYTES, syncOrFail, type AppendFile, type Durability, type File, type FileSizes } from './file-system.ts'

const SECTOR_BYTES = 512

/** One file of a FaultFileSystem: what processes see, and what is on the disk. */
export class FaultFile {
  /** What processes see. */
  #bytes: Uint8Array = new Uint8Array(0)
  #durable: Uint8Array = new Uint8Array(0)
  /** Sectors that were written and not synced. */
  readonly #dirty = new Set<number>()
  readonly #allocated = new Set<number>()
  /** Its name now. */
  path: string
  /** How often writing back failed: each handle reports each failure once. */
  writebackFailures = 0

  constructor(path: string) {
    this.path = path
  }

  get allocatedBytes(): number {
    return this.#allocated.size * BLOCK_BYTES
  }

  get bytes(): number {
    return this.#bytes.length
  }

  contents(): Uint8Array {
    return this.#bytes.slice()
  }

  replace(bytes: Uint8Array): void {
    this.#bytes = bytes.slice()
    this.#durable = bytes.slice()
    this.#dirty.clear()
  }

  read(into: Uint8Array, position: number): number {
    const part = this.#bytes.subarray(position, position + into.length)
    into.set(part)
    return part.length
  }

  /** Blocks between the positions that have no space yet. */
  holesIn(position: number, end: number): number[] {
    const holes: number[] = []
    for (let block = Math.floor(position / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      if (!this.#allocated.has(block)) holes.push(block)
    }
    return holes
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.#bytes.length) this.#bytes = resized(this.#bytes, end)
    this.#bytes.set(bytes, position)
    for (let sector = Math.floor(position / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) this.#dirty.add(sector)
    for (let block = Math.floor(position / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) this.#allocated.add(block)
  }

  truncate(bytes: number): void {
    if (bytes === this.#bytes.length) return
    this.#bytes = resized(this.#bytes, bytes)
    for (const block of this.#allocated) if (block * BLOCK_BYTES >= bytes) this.#allocated.delete(block)
  }

  sync(): void {
    if (this.#durable.length !== this.#bytes.length) this.#durable = resized(this.#durable, this.#bytes.length)
    for (const sector of this.#dirty) this.#writeBack(sector)
    this.#dirty.clear()
  }

  /** The disk refuses: the pages stay in memory and are taken for clean, and what is on the disk is as it was, or new, by sector. */
  failToSync(random: Random): void {
    for (const sector of this.#dirty) if (random.uint32() % 2 === 0) this.#writeBack(sector)
    this.#dirty.clear()
    this.writebackFailures++
  }

  /** The kernel writes some sectors when it pleases. */
  writeSomeBack(random: Random): void {
    for (const sector of this.#dirty) {
      if (random.uint32() % 4 !== 0) continue
      this.#writeBack(sector)
      this.#dirty.delete(sector)
    }
  }

  losePower(random: Random): void {
    for (const sector of this.#dirty) if (random.uint32() % 2 === 0) this.#writeBack(sector)
    const keepsSize = random.uint32() % 2 === 0
    if (keepsSize && this.#durable.length !== this.#bytes.length) this.#durable = resized(this.#durable, this.#bytes.length)
    this.#bytes = this.#durable.slice()
    this.#dirty.clear()
    for (const block of this.#allocated) if (block * BLOCK_BYTES >= this.#bytes.length) this.#allocated.delete(block)
  }

  #writeBack(sector: number): void {
    const from = sector * SECTOR_BYTES
    const part = this.#bytes.subarray(from, from + SECTOR_BYTES)
    if (from + part.length > this.#durable.length) this.#durable = resized(this.#durable, from + part.length)
    this.#durable.set(part, from)
  }
}

export class OpenFile implements File {
  readonly #fileSystem: FaultFileSystem
  readonly #file: FaultFile
  readonly #process: number
  #seenFailures: number
  #isClosed = false

  constructor(fileSystem: FaultFileSystem, file: FaultFile, process: number) {
    this.#fileSystem = fileSystem
    this.#file = file
    this.#process = process
    this.#seenFailures = file.writebackFailures
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    return this.#perform('write', () => this.#write(bytes, position))
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#perform('read', () => this.#file.read(into, position))
  }

  readOnce(into: Uint8Array, position: number): Promise<number> {
    return this.read(into, position)
  }

  sync(): Promise<void> {
    this.#checkOpen()
    const refuse = (): void => {
      this.#file.failToSync(this.#fileSystem.random)
      this.#seenFailures = this.#file.writebackFailures
    }
    return this.#fileSystem.perform('sync', this.#file.path, this.#process, () => this.#sync(), refuse)
  }

  sizes(): Promise<FileSizes> {
    return this.#perform('sizes', () => ({ bytes: this.#file.bytes, allocatedBytes: this.#file.allocatedBytes }))
  }

  truncate(bytes: number): Promise<void> {
    return this.#perform('truncate', () => this.#file.truncate(bytes))
  }

  async close(): Promise<void> {
    this.#checkOpen()
    this.#isClosed = true
  }

  /** The part for which there is room, in whole blocks. @throws ENOSPC when there is none */
  #write(bytes: Uint8Array, position: number): number {
    let end = position + bytes.length
    const fileSystem = this.#fileSystem
    const holes = this.#file.holesIn(position, end)
    const granted = holes.length === 0 ? 0 : fileSystem.roomFor(holes.length, BLOCK_BYTES)
    if (granted < holes.length) end = Math.max(position, holes[granted]! * BLOCK_BYTES)
    if (end === position && bytes.length > 0) throw systemError('ENOSPC', 'write', this.#file.path)
    if (fileSystem.chance(fileSystem.shortWritesOf256)) end = position + 1 + (fileSystem.random.uint32() % (end - position))
    this.#file.write(bytes.subarray(0, end - position), position)
    if (fileSystem.chance(fileSystem.writebackOf256)) this.#file.writeSomeBack(fileSystem.random)
    return end - position
  }

  #sync(): void {
    const { writebackFailures } = this.#file
    const isNews = this.#seenFailures < writebackFailures
    this.#seenFailures = writebackFailures
    if (isNews) throw systemError('EIO', 'sync', this.#file.path)
    this.#file.sync()
  }

  #perform<T>(call: FaultCall, effect: () => T): Promise<T> {
    this.#checkOpen()
    return this.#fileSystem.perform(call, this.#file.path, this.#process, effect)
  }

  #checkOpen(): void {
    if (this.#isClosed) throw systemError('EBADF', 'use', this.#file.path)
  }
}

/** Not atomic, as a disk's write is not: power may go between its two steps. */
export class OpenAppendFile implements AppendFile {
  readonly #file: OpenFile
  readonly #durability: Durability

  constructor(file: OpenFile, durability: Durability) {
    this.#file = file
    this.#durability = durability
  }

  async append(blocks: Uint8Array, position: number): Promise<number> {
    const written = await this.#file.write(blocks, position)
    if (this.#durability === 'fsync') await syncOrFail(this.#file.sync())
    return written
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

export function systemError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: injected, ${call} '${path}'`), { code })
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const other = new Uint8Array(length)
  other.set(bytes.subarray(0, length))
  return other
}
