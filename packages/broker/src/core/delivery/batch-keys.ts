// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)
import { RecordCursor, murmur2 } from '@millrace/wire'
import type { StoredBatch } from '../../storage/log-store.ts'

/** Stands for a record without a key. */
export const NO_KEY = -1
/** Stands where a batch has no record. */
const NOTHING = -2

/** The keys of one batch after the other, each record looked at once, and only as far as was asked. */
export class BatchKeys {
  #bytes: Uint8Array | undefined
  #record: RecordCursor | undefined
  /** By position in the batch. */
  readonly #keys: number[] = []

  /** Forgets the batch before, if this is another one. */
  enter({ bytes }: StoredBatch): void {
    if (this.#bytes === bytes) return
    this.#bytes = bytes
    this.#record = new RecordCursor(bytes)
    this.#keys.length = 0
  }

  /** @param position of a record, from the first offset of the batch on. @returns a hash of its key, or NO_KEY */
  at(position: number): number {
    const keys = this.#keys
    if (position < keys.length) return keys[position]!
    const record = this.#record!
    while (keys.length <= position && record.next()) {
      while (keys.length < record.offsetDelta) keys.push(NOTHING)
      keys.push(keyOf(record))
    }
    return keys[position] ?? NOTHING
  }
}

/** Keys with the same hash wait for each other: rare, and harmless. */
function keyOf(record: RecordCursor): number {
  if (record.keyLength < 0) return NO_KEY
  return murmur2(record.batch, record.keyAt, record.keyAt + record.keyLength) >>> 0
}
