/**
 * Files in memory that fail as real ones do, for tests and the simulator. Deterministic: the same calls and the same random
 * numbers give the same outcome, and every call takes effect at one moment.
 *
 * `boot` starts a process and gives it its file system.
 * - `powerLoss` keeps any subset of the unsynced 512-byte sectors of each file, and a prefix of the unsynced changes of the directory.
 * - `kill` ends the process; the page cache survives.
 * - After either, calls of the dead process have no effect and never settle.
 * - Faults: errors by call (once or for good), a capacity, short writes, flipped bits, the n-th call as the last one.
 */
import { MillraceError } from '../../base/errors.ts'
import type { Random } from '../../ports/platform.ts'
import { FaultFile, OpenAppendFile, OpenFile, systemError } from './fault-file.ts'
import type { AppendFile, DirectoryLock, Durability, File, FileSystem } from './file-system.ts'

export type FaultCall =
  | 'lock'
  | 'list'
  | 'open'
  | 'create'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'availableBytes'
  | 'write'
  | 'read'
  | 'sync'
  | 'sizes'
  | 'truncate'

export interface Fault {
  readonly call: FaultCall
  readonly code: 'EIO' | 'ENOSPC' | 'EACCES'
  /** Only for paths that end so. */
  readonly pathEnd?: string
  /** How many matching calls succeed before. Default 0. */
  readonly after?: number
  /** How many matching calls fail. Default 1; Infinity for good. */
  readonly times?: number
}

export interface FaultFileSystemOptions {
  readonly random: Random
  /** Bytes of all files together, in blocks of 4 KiB. Default: no limit. */
  readonly capacityBytes?: number
  /** Of 256 writes so many stop half-way and have to be continued. Default 0. */
  readonly shortWritesOf256?: number
  /** Of 256 writes so many are followed by the kernel writing back some unsynced sectors by itself. Default 32. */
  readonly writebackOf256?: number
  /** Waited for before each call: a simulator's place to spend virtual time. */
  readonly pause?: (call: FaultCall) => Promise<void> | undefined
}

const OBSERVING_CALLS: ReadonlySet<FaultCall> = new Set<FaultCall>(['lock', 'list', 'open', 'availableBytes', 'read', 'sizes'])

interface ActiveFault {
  readonly fault: Fault
  skip: number
  left: number
}

export class FaultFileSystem {
  readonly random: Random
  readonly shortWritesOf256: number
  readonly writebackOf256: number
  capacityBytes: number
  /** Calls so far that change or make durable something. */
  mutations = 0
  /** Called at the start of each mutation, with their number so far. */
  onMutation: ((count: number) => void) | undefined
  /** The machine loses power at the start of this mutation. */
  powerLossAt: number = Infinity
  readonly #pause: ((call: FaultCall) => Promise<void> | undefined) | undefined
  readonly #files = new Map<string, FaultFile>()
  /** What the directory holds on the disk. */
  #durable: Map<string, FaultFile> = new Map<string, FaultFile>()
  /** The changes since, in order. */
  #unsynced: ((files: Map<string, FaultFile>) => void)[] = []
  readonly #locks = new Set<string>()
  #faults: ActiveFault[] = []
  /** The number of the process: handles of earlier ones are dead. */
  #process = 0
  #onDeath: (() => void) | undefined
  #death: Promise<void>

  constructor(options: FaultFileSystemOptions) {
    this.random = options.random
    this.capacityBytes = options.capacityBytes ?? Infinity
    this.shortWritesOf256 = options.shortWritesOf256 ?? 0
    this.writebackOf256 = options.writebackOf256 ?? 32
    this.#pause = options.pause
    this.#death = this.#nextDeath()
  }

  /** The file system of a new process. One process at a time is alive, unless they are booted without a `kill` between them. */
  boot(): FileSystem {
    return new ProcessFileSystem(this, this.#process)
  }

  /** How many processes died so far. */
  get deaths(): number {
    return this.#process
  }

  /** Settles when the current process dies. */
  get death(): Promise<void> {
    return this.#death
  }

  get usedBytes(): number {
    let bytes = 0
    for (const file of new Set(this.#files.values())) bytes += file.allocatedBytes
    return bytes
  }

  /** Ends the process and loses what the page cache held, in part. */
  powerLoss(): void {
    this.kill()
    const changes = this.#unsynced.slice(0, this.random.uint32() % (this.#unsynced.length + 1))
    for (const change of changes) change(this.#durable)
    this.#unsynced = []
    this.#files.clear()
    for (const [path, file] of this.#durable) {
      this.#files.set(path, file)
      file.path = path
    }
    for (const file of new Set(this.#files.values())) file.losePower(this.random)
  }

  /** Ends the process; what it wrote stays. */
  kill(): void {
    this.#process++
    this.#locks.clear()
    this.powerLossAt = Infinity
    this.#onDeath?.()
    this.#death = this.#nextDeath()
  }

  inject(fault: Fault): void {
    this.#faults.push({ fault, skip: fault.after ?? 0, left: fault.times ?? 1 })
  }

  clearFaults(): void {
    this.#faults = []
  }

  paths(): string[] {
    return [...this.#files.keys()].toSorted()
  }

  /** What a process sees in the file now: a copy. */
  contents(path: string): Uint8Array {
    return this.existing(path, 'open').contents()
  }

  /** Changes a file behind the back of everybody, durably. */
  overwrite(path: string, bytes: Uint8Array): void {
    this.existing(path, 'open').replace(bytes)
  }

  flipBit(path: string, byte: number, bit: number): void {
    const bytes = this.contents(path)
    bytes[byte] = bytes[byte]! ^ (1 << bit)
    this.overwrite(path, bytes)
  }

  delete(path: string): void {
    this.#files.delete(path)
    this.#durable.delete(path)
  }

  takeLock(directory: string): boolean {
    if (this.#locks.has(directory)) return false
    this.#locks.add(directory)
    return true
  }

  releaseLock(directory: string): void {
    this.#locks.delete(directory)
  }

  /** Changes the directory, for now in memory only. */
  change(change: (files: Map<string, FaultFile>) => void): void {
    change(this.#files)
    this.#unsynced.push(change)
  }

  syncChanges(): void {
    for (const change of this.#unsynced) change(this.#durable)
    this.#unsynced = []
  }

  existing(path: string, call: string): FaultFile {
    const file = this.#files.get(path)
    if (file === undefined) throw systemError('ENOENT', call, path)
    return file
  }

  /** One call of a process: it takes effect, fails (after `onFault`), or never settles. */
  async perform<T>(call: FaultCall, path: string, process: number, effect: () => T, onFault?: () => void): Promise<T> {
    if (this.#pause !== undefined) await this.#pause(call)
    this.#countMutation(call)
    if (process !== this.#process) return never()
    const error = this.#takeFault(call, path)
    if (error === undefined) return effect()
    onFault?.()
    throw error
  }

  /** How many of `blocks` more may be allocated. */
  roomFor(blocks: number, blockBytes: number): number {
    if (this.capacityBytes === Infinity) return blocks
    return Math.min(blocks, Math.max(0, Math.floor((this.capacityBytes - this.usedBytes) / blockBytes)))
  }

  /** True in `of256` of 256 cases. */
  chance(of256: number): boolean {
    return of256 > 0 && this.random.uint32() % 256 < of256
  }

  #countMutation(call: FaultCall): void {
    if (OBSERVING_CALLS.has(call)) return
    this.onMutation?.(this.mutations)
    if (this.mutations++ >= this.powerLossAt) this.powerLoss()
  }

  #takeFault(call: FaultCall, path: string): Error | undefined {
    for (const active of this.#faults) {
      const { fault } = active
      if (fault.call !== call || active.left <= 0 || !path.endsWith(fault.pathEnd ?? '')) continue
      if (active.skip-- > 0) continue
      active.left--
      return systemError(fault.code, call, path)
    }
    return undefined
  }

  #nextDeath(): Promise<void> {
    return new Promise((resolve) => (this.#onDeath = resolve))
  }
}

/** What one process sees of the files. */
class ProcessFileSystem implements FileSystem {
  readonly #files: FaultFileSystem
  readonly #process: number

  constructor(files: FaultFileSystem, process: number) {
    this.#files = files
    this.#process = process
  }

  lock(directory: string): Promise<DirectoryLock> {
    return this.#perform('lock', directory, () => {
      if (!this.#files.takeLock(directory)) {
        throw new MillraceError('data_in_use', `the data directory ${directory} is in use by this process`)
      }
      return { release: () => this.#perform('lock', directory, () => this.#files.releaseLock(directory)) }
    })
  }

  list(directory: string): Promise<string[]> {
    const prefix = `${directory}/`
    return this.#perform('list', directory, () => {
      const paths = this.#files.paths().filter((path) => path.startsWith(prefix))
      return paths.map((path) => path.slice(prefix.length))
    })
  }

  open(path: string, create: boolean): Promise<File> {
    return this.#perform(create ? 'create' : 'open', path, () => {
      const file = create ? this.#create(path) : this.#files.existing(path, 'open')
      return new OpenFile(this.#files, file, this.#process)
    })
  }

  openForAppend(path: string, durability: Durability): Promise<AppendFile> {
    return this.#perform('open', path, () => {
      const file = this.#files.existing(path, 'open')
      return new OpenAppendFile(new OpenFile(this.#files, file, this.#process), durability)
    })
  }

  allocateBlocks(bytes: number): Uint8Array {
    return new Uint8Array(bytes)
  }

  rename(from: string, to: string): Promise<void> {
    return this.#perform('rename', from, () => {
      const file = this.#files.existing(from, 'rename')
      this.#files.change((files) => {
        files.delete(from)
        files.set(to, file)
        file.path = to
      })
    })
  }

  remove(path: string): Promise<void> {
    return this.#perform('remove', path, () => {
      this.#files.existing(path, 'unlink')
      this.#files.change((files) => files.delete(path))
    })
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#perform('syncDirectory', directory, () => this.#files.syncChanges())
  }

  availableBytes(directory: string): Promise<number> {
    return this.#perform('availableBytes', directory, () => {
      const { capacityBytes, usedBytes } = this.#files
      return capacityBytes === Infinity ? 2 ** 40 : Math.max(0, capacityBytes - usedBytes)
    })
  }

  #create(path: string): FaultFile {
    if (this.#files.paths().includes(path)) throw systemError('EEXIST', 'open', path)
    const file = new FaultFile(path)
    this.#files.change((files) => files.set(path, file))
    return file
  }

  #perform<T>(call: FaultCall, path: string, effect: () => T): Promise<T> {
    return this.#files.perform(call, path, this.#process, effect)
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}
