import { RecordCursor, batchOffsets, batchRecordCount } from '@millrace/wire'
import type { StoredBatch } from '../../storage/log-store.ts'

/** Whether compaction left offsets without records inside the batch. */
export function hasGaps(batch: StoredBatch): boolean {
  return batchOffsets(batch.bytes) !== batchRecordCount(batch.bytes)
}

/** Where the records of a batch are that count: all, in a batch with gaps, or those that a filter takes. Remembers the batch it was asked about last. */
export class RecordRuns {
  readonly #takes: ((record: RecordCursor) => boolean) | undefined
  #batch: StoredBatch | undefined
  /** Pairs: first, last. */
  #runs: number[] = []

  /** @param takes whether a record counts; all do without it */
  constructor(takes?: (record: RecordCursor) => boolean) {
    this.#takes = takes
  }

  /** First offset of the run that ends at or after `offset`; Infinity when there is none. `last` gets its end. */
  seek(batch: StoredBatch, offset: number): number {
    if (this.#batch !== batch) {
      this.#batch = batch
      this.#runs = this.#runsOf(batch)
    }
    const runs = this.#runs
    let at = 0
    while (at < runs.length && runs[at + 1]! < offset) at += 2
    this.last = runs[at + 1] ?? Infinity
    return runs[at] ?? Infinity
  }

  last: number = Infinity

  #runsOf(batch: StoredBatch): number[] {
    const runs: number[] = []
    const record = new RecordCursor(batch.bytes)
    while (record.next()) {
      if (this.#takes !== undefined && !this.#takes(record)) continue
      const offset = batch.baseOffset + record.offsetDelta
      if (runs.length > 0 && runs[runs.length - 1] === offset - 1) runs[runs.length - 1] = offset
      else runs.push(offset, offset)
    }
    return runs
  }
}
