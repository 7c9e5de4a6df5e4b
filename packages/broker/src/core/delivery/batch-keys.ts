// hot path of queues with `order: 'key'` (packages/broker/test/core/order-throughput.mjs)
import { KeyCursor, murmur2 } from '@millrace/wire'
import type { StoredBatch } from '../../storage/log-store.ts'

/** Stands for a record without a key. */
export const NO_KEY = -1
/** Stands where a batch has no record. */
const NOTHING = -2

/** The keys of one batch after the other, each record looked at once, and only as far as was asked. */
export class BatchKeys {
  #bytes: Uint8Array | undefined
  #cursor: KeyCursor | undefined
  /** By position in the batch. */
  readonly #keys: number[] = []

  /** Forgets the batch before, if this is another one. */
  enter({ bytes }: StoredBatch): void {
    if (this.#bytes === bytes) return
    this.#bytes = bytes
    this.#cursor = new KeyCursor(bytes)
    this.#keys.length = 0
  }

  /** @param position of a record, from the first offset of the batch on. @returns a hash of its key, or NO_KEY */
  at(position: number): number {
    const keys = this.#keys
    if (position < keys.length) return keys[position]!
    const bytes = this.#bytes!
    const cursor = this.#cursor!
    while (keys.length <= position && cursor.next()) {
      while (keys.length < cursor.offsetDelta) keys.push(NOTHING)
      // Keys with the same hash wait for each other: rare, and harmless.
      const { keyAt, keyLength } = cursor
      keys.push(keyLength < 0 ? NO_KEY : murmur2(bytes, keyAt, keyAt + keyLength) >>> 0)
    }
    return keys[position] ?? NOTHING
  }
}
