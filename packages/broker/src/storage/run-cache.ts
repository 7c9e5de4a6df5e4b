import type { Crc32c } from '../ports/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import { decodeRun, runMemoryBytes, type IndexRun } from './index-run.ts'
import type { LogId } from './log-store.ts'
import type { RunDescriptor } from './run-list.ts'

/** Sealed index runs that were read back, least recently used out. */
export class RunCache {
  readonly #journal: Journal
  readonly #crc32c: Crc32c
  readonly #bytesMax: number
  readonly #runs = new Map<string, IndexRun>()
  readonly #loading = new Map<string, Promise<IndexRun>>()
  #bytes = 0
  /** How many had to be read. */
  loads = 0

  constructor(journal: Journal, crc32c: Crc32c, bytesMax: number) {
    this.#journal = journal
    this.#crc32c = crc32c
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The run if it is in memory. */
  peek(run: RunDescriptor): IndexRun | undefined {
    const key = keyOf(run)
    const found = this.#runs.get(key)
    if (found === undefined) return undefined
    this.#runs.delete(key)
    this.#runs.set(key, found)
    return found
  }

  /** @throws MillraceError `data_corrupt` */
  load(log: LogId, run: RunDescriptor): Promise<IndexRun> {
    const found = this.peek(run)
    if (found !== undefined) return Promise.resolve(found)
    const key = keyOf(run)
    let loading = this.#loading.get(key)
    if (loading === undefined) {
      loading = this.#read(log, run, key)
      this.#loading.set(key, loading)
    }
    return loading
  }

  async #read(log: LogId, run: RunDescriptor, key: string): Promise<IndexRun> {
    try {
      this.loads++
      const loaded = decodeRun(await this.#journal.read(run.seq, run.position, run.length), log, run, this.#crc32c)
      this.#runs.set(key, loaded)
      this.#bytes += runMemoryBytes(loaded)
      for (const [oldKey, old] of this.#runs) {
        if (this.#bytes <= this.#bytesMax || old === loaded) break
        this.#runs.delete(oldKey)
        this.#bytes -= runMemoryBytes(old)
      }
      return loaded
    } finally {
      this.#loading.delete(key)
    }
  }
}

function keyOf(run: RunDescriptor): string {
  return `${run.seq}:${run.position}`
}
