/** When the records of a batch expire. */
// hot path (packages/broker/test/core/throughput.mjs)
import { BATCH_HAS_EXPIRY, BatchFormatError, EXPIRES_AT_HEADER, RecordCursor, batchAttributes } from '@millrace/wire'
import type { StoredBatch } from '../../storage/log-store.ts'

const HEADER_KEY: Uint8Array = new TextEncoder().encode(EXPIRES_AT_HEADER)
const DIGITS_MAX = 16

/** Whether a record of the batch can expire at all. */
export function mayExpire(batch: Uint8Array, ttlMs: number | undefined): boolean {
  return ttlMs !== undefined || (batchAttributes(batch) & BATCH_HAS_EXPIRY) !== 0
}

/** Remembers the batch it was asked about last, which it walks once. */
export class ExpiryRuns {
  /** End of the run that `isExpired` was asked about. */
  last = 0
  /** When the next record of that run expires. */
  nextMs: number = Infinity
  #batch: StoredBatch | undefined
  #ttlMs: number | undefined
  #earliestMs = Infinity
  /** By position in the batch; Infinity where nothing expires. */
  #timesMs: Float64Array = NONE

  /** Whether the record at `first` has expired. `last` gets the end of the run of those of which the same is true. */
  isExpired(batch: StoredBatch, ttlMs: number | undefined, first: number, last: number, nowMs: number): boolean {
    if (this.#batch !== batch || this.#ttlMs !== ttlMs) this.#walk(batch, ttlMs)
    this.last = last
    this.nextMs = this.#earliestMs
    if (nowMs < this.#earliestMs) return false
    const times = this.#timesMs
    const base = batch.baseOffset
    const expired = times[first - base]! <= nowMs
    let next = Infinity
    let at = first
    for (; at <= last && times[at - base]! <= nowMs === expired; at++) if (times[at - base]! < next) next = times[at - base]!
    this.last = at - 1
    this.nextMs = next
    return expired
  }

  #walk(batch: StoredBatch, ttlMs: number | undefined): void {
    const times = new Float64Array(batch.lastOffset - batch.baseOffset + 1).fill(Infinity)
    const hasHeaders = (batchAttributes(batch.bytes) & BATCH_HAS_EXPIRY) !== 0
    this.#batch = batch
    this.#ttlMs = ttlMs
    this.#timesMs = times
    this.#earliestMs = Infinity
    const records = new RecordCursor(batch.bytes)
    try {
      while (records.next()) {
        let timeMs = ttlMs === undefined ? Infinity : records.timestampMs + ttlMs
        if (hasHeaders && records.findHeader(HEADER_KEY)) {
          timeMs = Math.min(timeMs, timeOf(batch.bytes, records.headerAt, records.headerLength))
        }
        times[records.offsetDelta] = timeMs
        if (timeMs < this.#earliestMs) this.#earliestMs = timeMs
      }
    } catch (error) {
      // What cannot be read does not expire: whoever consumes it is told.
      if (!(error instanceof BatchFormatError)) throw error
    }
  }
}

const NONE: Float64Array = new Float64Array(0)

/** Decimal digits; anything else is no time. */
function timeOf(bytes: Uint8Array, at: number, length: number): number {
  if (length < 1 || length > DIGITS_MAX) return Infinity
  let timeMs = 0
  for (let n = at; n < at + length; n++) {
    const digit = bytes[n]! - 48
    if (digit < 0 || digit > 9) return Infinity
    timeMs = timeMs * 10 + digit
  }
  return timeMs
}
