import type { LogBounds, LogId, LogStore, StoredBatch, Ticket } from '../storage/log-store.ts'
import type { PlainBatches } from './plain-batches.ts'

/** A log store whose `read` gives plain batches, however they are stored. */
export class PlainLogStore implements LogStore {
  readonly #store: LogStore
  readonly #plain: PlainBatches

  constructor(store: LogStore, plain: PlainBatches) {
    this.#store = store
    this.#plain = plain
  }

  read(log: LogId, from: number, bytesMax: number): readonly StoredBatch[] | Promise<readonly StoredBatch[]> {
    const read = this.#store.read(log, from, bytesMax)
    return read instanceof Promise ? read.then((batches) => this.#plain.ofStored(batches)) : this.#plain.ofStored(read)
  }

  // ---- as they are ----------------------------------------------------------------------------------------------------

  createLog(): LogId {
    return this.#store.createLog()
  }

  deleteLog(log: LogId): void {
    this.#store.deleteLog(log)
  }

  logs(): readonly LogId[] {
    return this.#store.logs()
  }

  append(log: LogId, batch: Uint8Array, offsets: number): number {
    return this.#store.append(log, batch, offsets)
  }

  appendShared(logs: readonly LogId[], batch: Uint8Array, offsets: number): readonly number[] {
    return this.#store.appendShared(logs, batch, offsets)
  }

  reserve(bytes: number): void {
    this.#store.reserve(bytes)
  }

  trim(log: LogId, start: number): void {
    this.#store.trim(log, start)
  }

  discard(log: LogId, first: number, last: number): void {
    this.#store.discard(log, first, last)
  }

  replace(log: LogId, first: number, last: number, baseOffset: number, batch: Uint8Array | undefined): Promise<boolean> {
    return this.#store.replace(log, first, last, baseOffset, batch)
  }

  ticket(): Ticket {
    return this.#store.ticket()
  }

  get committedTicket(): Ticket {
    return this.#store.committedTicket
  }

  get visibleTicket(): Ticket {
    return this.#store.visibleTicket
  }

  onCommitted(listener: (ticket: Ticket) => void): () => void {
    return this.#store.onCommitted(listener)
  }

  onClosing(listener: () => void): () => void {
    return this.#store.onClosing(listener)
  }

  touch(): void {
    this.#store.touch()
  }

  touchSoon(): void {
    this.#store.touchSoon()
  }

  bounds(log: LogId): LogBounds {
    return this.#store.bounds(log)
  }

  offsetForTimestamp(log: LogId, timestampMs: number): Promise<number | undefined> {
    return this.#store.offsetForTimestamp(log, timestampMs)
  }

  oldest(log: LogId, batchesMax: number): ReturnType<LogStore['oldest']> {
    return this.#store.oldest(log, batchesMax)
  }

  get pendingBytes(): number {
    return this.#store.pendingBytes
  }

  get acceptsPublishes(): boolean {
    return this.#store.acceptsPublishes
  }

  onRelief(listener: () => void): () => void {
    return this.#store.onRelief(listener)
  }

  onShortage(listener: () => void): () => void {
    return this.#store.onShortage(listener)
  }

  onFailed(listener: (error: Error) => void): () => void {
    return this.#store.onFailed(listener)
  }

  get stats(): LogStore['stats'] {
    return this.#store.stats
  }

  get limits(): LogStore['limits'] {
    return this.#store.limits
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
