/** Stored batches read ahead of one reader or cursor. */
// hot path (packages/broker/test/core/throughput.mjs)
import { KIB, MIB } from '../../base/units.ts'
import type { LogId, LogStore, StoredBatch } from '../../storage/log-store.ts'

const READ_BYTES_MIN = 16 * KIB
const READ_BYTES_MAX = 512 * KIB
/** How much is read for each message that is wanted. */
const MESSAGE_BYTES = 256
/** All windows together hold about this much; beyond it those that were filled longest ago are emptied. */
const ALL_WINDOWS_BYTES_MAX = 64 * MIB

/** Bounds what all windows hold together. */
export class WindowBudget {
  readonly #bytesMax: number
  readonly #filled = new Set<BatchWindow>()
  #bytes = 0

  constructor(bytesMax: number = ALL_WINDOWS_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  filled(window: BatchWindow, bytes: number): void {
    this.#filled.add(window)
    this.#bytes += bytes
    if (this.#bytes <= this.#bytesMax) return
    for (const other of this.#filled) {
      if (other !== window) other.clear()
      if (this.#bytes <= this.#bytesMax) break
    }
  }

  emptied(window: BatchWindow, bytes: number): void {
    this.#filled.delete(window)
    this.#bytes -= bytes
  }
}

/** The answer to "what is at this offset". */
export type WindowState = 'found' | 'loading' | 'end'

export class BatchWindow {
  readonly #store: LogStore
  readonly #log: LogId
  readonly #budget: WindowBudget
  readonly #wanted: () => number
  readonly #onLoaded: () => void
  #batches: readonly StoredBatch[] = []
  #at = 0
  #bytes = 0
  /** The batches are those from this offset on, without a gap that is not in the log. */
  #from = 0
  #loading = false
  #failure: unknown
  /** Where a read that had to wait found nothing, for the next `seek` to say so. */
  #endAt = -1
  /** The batch that `seek` found: the one that holds the offset, or the next after it. */
  batch: StoredBatch | undefined

  /**
   * @param wanted about how many messages would be taken now: whoever takes few gets little read ahead, because what is
   *   read may keep the buffers of whole commits in memory
   * @param onLoaded a read that had answered `loading` is done: seek again
   */
  constructor(store: LogStore, log: LogId, budget: WindowBudget, wanted: () => number, onLoaded: () => void) {
    this.#store = store
    this.#log = log
    this.#budget = budget
    this.#wanted = wanted
    this.#onLoaded = onLoaded
  }

  /**
   * Looks for the batch that holds `offset`, or the next one after it.
   * @throws what `LogStore.read` throws
   */
  seek(offset: number): WindowState {
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw failure
    }
    if (this.#find(offset)) return 'found'
    if (this.#loading) return 'loading'
    if (this.#endAt === offset) {
      this.#endAt = -1
      return 'end'
    }
    this.clear()
    const bytes = Math.min(Math.max(this.#wanted() * MESSAGE_BYTES, READ_BYTES_MIN), READ_BYTES_MAX)
    const read = this.#store.read(this.#log, offset, bytes)
    if (read instanceof Promise) {
      this.#loading = true
      read.then(
        (batches) => this.#loaded(offset, batches),
        (error: unknown) => {
          this.#loading = false
          this.#failure = error ?? new Error('a read failed without an error')
          this.#onLoaded()
        },
      )
      return 'loading'
    }
    this.#fill(offset, read)
    return this.#find(offset) ? 'found' : 'end'
  }

  /** Nothing before `offset` will be asked for: forgets what was read if that was all of it. */
  passed(offset: number): void {
    if (this.#batches.length > 0 && this.#batches[this.#batches.length - 1]!.lastOffset < offset) this.clear()
  }

  /** Forgets what was read. */
  clear(): void {
    if (this.#batches.length === 0) return
    this.#batches = []
    this.#at = 0
    this.batch = undefined
    this.#budget.emptied(this, this.#bytes)
    this.#bytes = 0
  }

  #loaded(offset: number, batches: readonly StoredBatch[]): void {
    this.#loading = false
    this.#endAt = batches.length === 0 ? offset : -1
    this.#fill(offset, batches)
    this.#onLoaded()
  }

  #fill(offset: number, batches: readonly StoredBatch[]): void {
    this.clear()
    if (batches.length === 0) return
    this.#batches = batches
    this.#from = offset
    let bytes = 0
    for (let n = 0; n < batches.length; n++) bytes += batches[n]!.bytes.length
    this.#bytes = bytes
    this.#budget.filled(this, bytes)
  }

  #find(offset: number): boolean {
    const batches = this.#batches
    if (batches.length === 0 || offset < this.#from || offset > batches[batches.length - 1]!.lastOffset) return false
    let at = this.#at
    if (at > 0 && batches[at - 1]!.lastOffset >= offset) at = 0
    while (batches[at]!.lastOffset < offset) at++
    this.#at = at
    this.batch = batches[at]!
    return true
  }
}
