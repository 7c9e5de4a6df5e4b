/** Looks for the records that a selector takes, a bounded share at a time. */
// hot path (packages/broker/test/core/throughput.mjs)
import { RecordCursor } from '@millrace/wire'
import type { StoredBatch } from '../storage/log-store.ts'
import { SEARCH_BYTES, SEARCH_RECORDS } from './limits.ts'
import { RecordProperties } from './selectors/record-properties.ts'
import type { Selector } from './selectors/selector.ts'

export class RecordSearch {
  /** The run that `find` found. */
  first = 0
  last = 0
  /** Where to go on: everything before was looked at. */
  next = 0
  readonly #selector: Selector
  readonly #properties = new RecordProperties()
  #batch: StoredBatch | undefined
  #record: RecordCursor | undefined
  /** Of the record that is looked at next; Infinity after the last. */
  #offset = -1
  #records = 0
  #bytes = 0

  constructor(selector: Selector) {
    this.#selector = selector
  }

  /** Begins a new share. */
  begin(): void {
    this.#records = 0
    this.#bytes = 0
  }

  /** Whether the share is used up. */
  get isSpent(): boolean {
    return this.#records >= SEARCH_RECORDS || this.#bytes >= SEARCH_BYTES
  }

  /**
   * Looks through `from..to` of a batch for a run of offsets that are taken, as far as the share goes. Within one batch each call begins where
   * the one before left off, or later.
   * @param countMax messages that the run may have
   * @throws BatchFormatError
   */
  find(batch: StoredBatch, from: number, to: number, countMax: number): boolean {
    let count = 0
    this.#seek(batch, from)
    while (this.#offset <= to && count < countMax && !this.isSpent) {
      const offset = this.#offset
      if (count > 0 && offset !== this.last + 1) break
      this.#records++
      const isTaken = this.#selector.matches(this.#properties.show(this.#record!))
      this.#advance()
      if (isTaken) {
        if (count++ === 0) this.first = offset
        this.last = offset
      } else if (count > 0) break
    }
    this.next = Math.min(this.#offset, to + 1)
    return count > 0
  }

  /** Lets go of the batch. */
  clear(): void {
    this.#batch = undefined
    this.#record = undefined
  }

  #seek(batch: StoredBatch, from: number): void {
    if (this.#batch !== batch) {
      this.#batch = batch
      this.#record = new RecordCursor(batch.bytes)
      this.#records++
      this.#advance()
    }
    while (this.#offset < from) this.#advance()
  }

  #advance(): void {
    const record = this.#record!
    const before = record.end
    this.#offset = record.next() ? this.#batch!.baseOffset + record.offsetDelta : Infinity
    this.#bytes += record.end - before
  }
}
