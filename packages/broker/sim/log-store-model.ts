import type { LogId, Ticket } from '../src/storage/log-store.ts'

/** A record batch as the model keeps it. `bytes` without the base offset field, which has no meaning in the store. */
export interface ModelBatch {
  readonly base: number
  readonly end: number
  readonly bytes: Uint8Array
  readonly timestampMs: number
}

export interface ModelLog {
  start: number
  end: number
  batches: ModelBatch[]
  /** Discarded offsets. */
  readonly dead: Set<number>
  /** Something was replaced: there are offsets without a batch that were never forgotten. */
  hasGaps: boolean
}

type Change = (logs: Map<LogId, ModelLog>) => void

/**
 * What the store must look like: the simplest thing that can be said about it. Changes are kept by ticket until their commit is known to be
 * durable or lost.
 */
export class LogStoreModel {
  logs: Map<LogId, ModelLog> = new Map()
  #pending: { readonly ticket: Ticket; readonly change: Change }[] = []
  /** Every batch that was ever appended, by log and base offset: a reader may see nothing else. */
  readonly #history = new Map<string, ModelBatch[]>()

  get pendingCount(): number {
    return this.#pending.length
  }

  create(ticket: Ticket, log: LogId): void {
    this.#add(ticket, (logs) => logs.set(log, { start: 0, end: 0, batches: [], dead: new Set(), hasGaps: false }))
  }

  delete(ticket: Ticket, log: LogId): void {
    this.#add(ticket, (logs) => logs.delete(log))
  }

  append(ticket: Ticket, log: LogId, batch: ModelBatch): void {
    this.#remember(log, batch)
    this.#add(ticket, (logs) => {
      const state = logs.get(log)
      if (state === undefined) return
      state.batches.push(batch)
      state.end = batch.end
    })
  }

  trim(ticket: Ticket, log: LogId, start: number): void {
    this.#add(ticket, (logs) => {
      const state = logs.get(log)
      if (state !== undefined) state.start = Math.max(state.start, start)
    })
  }

  discard(ticket: Ticket, log: LogId, first: number, end: number): void {
    this.#add(ticket, (logs) => {
      const state = logs.get(log)
      if (state === undefined) return
      for (let offset = first; offset < end; offset++) state.dead.add(offset)
    })
  }

  replace(ticket: Ticket, log: LogId, first: number, end: number, batch: ModelBatch | undefined): void {
    if (batch !== undefined) this.#remember(log, batch)
    this.#add(ticket, (logs) => {
      const state = logs.get(log)
      if (state === undefined) return
      state.hasGaps = true
      state.batches = state.batches.filter((other) => other.end <= first || other.base >= end)
      if (batch === undefined) return
      state.batches.push(batch)
      state.batches.sort((a, b) => a.base - b.base)
    })
  }

  /** All changes up to `ticket` are durable. */
  commit(ticket: Ticket): void {
    let count = 0
    for (const { ticket: of, change } of this.#pending) {
      if (of > ticket) break
      change(this.logs)
      count++
    }
    this.#pending = this.#pending.slice(count)
  }

  /** What is not durable is gone. */
  crash(): void {
    this.#pending = []
  }

  /** The batches that readers see, oldest first. */
  visible(log: ModelLog): ModelBatch[] {
    return log.batches.filter((batch) => this.isAlive(log, batch))
  }

  isAlive(log: ModelLog, batch: ModelBatch): boolean {
    for (let offset = Math.max(batch.base, log.start); offset < batch.end; offset++) if (!log.dead.has(offset)) return true
    return false
  }

  /** Whether these bytes were ever appended at this offset. */
  wasAppended(log: LogId, base: number, bytes: Uint8Array): boolean {
    return this.#history.get(`${log}:${base}`)?.some((batch) => isSame(batch.bytes, bytes)) ?? false
  }

  #remember(log: LogId, batch: ModelBatch): void {
    const key = `${log}:${batch.base}`
    const known = this.#history.get(key)
    if (known === undefined) this.#history.set(key, [batch])
    else known.push(batch)
  }

  #add(ticket: Ticket, change: Change): void {
    const at = this.#pending.findLastIndex((other) => other.ticket <= ticket)
    this.#pending.splice(at + 1, 0, { ticket, change })
  }
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
