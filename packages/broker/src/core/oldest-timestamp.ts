import { RecordReader } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { LogStore, StoredBatch } from '../storage/log-store.ts'
import type { Cursor } from './delivery/cursor.ts'
import type { DeliveryGroup } from './delivery/delivery-group.ts'

interface Known {
  readonly floor: number
  readonly timestampMs: number | undefined
}

/**
 * Timestamps of the oldest messages that are not settled. Answers are exact while the message is in the tail cache;
 * otherwise the first question starts a read, and what was known before is the answer until that is done.
 */
export class OldestTimestamps {
  readonly #store: LogStore
  readonly #known = new WeakMap<Cursor, Known>()
  readonly #reading = new WeakSet<Cursor>()

  constructor(store: LogStore) {
    this.#store = store
  }

  of(group: DeliveryGroup): number | undefined {
    let oldest: number | undefined
    for (const cursor of group.cursors) {
      const timestampMs = this.#ofCursor(cursor)
      if (timestampMs !== undefined && (oldest === undefined || timestampMs < oldest)) oldest = timestampMs
    }
    return oldest
  }

  #ofCursor(cursor: Cursor): number | undefined {
    const floor = Math.max(cursor.floor(), cursor.log.start)
    const { start, end } = this.#store.bounds(cursor.log.id)
    if (floor >= end || floor < start) return undefined
    const known = this.#known.get(cursor)
    if (known?.floor === floor || this.#reading.has(cursor)) return known?.timestampMs
    const read = this.#store.read(cursor.log.id, floor, 1)
    if (!(read instanceof Promise)) return this.#learn(cursor, floor, read)
    void this.#learnLater(cursor, floor, read)
    return known?.timestampMs
  }

  async #learnLater(cursor: Cursor, floor: number, read: Promise<readonly StoredBatch[]>): Promise<void> {
    this.#reading.add(cursor)
    try {
      this.#learn(cursor, floor, await read)
    } catch (error) {
      // The log was trimmed or deleted meanwhile, or is damaged, which its consumers are told.
      if (!(error instanceof MillraceError)) throw error
    } finally {
      this.#reading.delete(cursor)
    }
  }

  #learn(cursor: Cursor, floor: number, batches: readonly StoredBatch[]): number | undefined {
    const timestampMs = timestampFrom(batches[0], floor)
    this.#known.set(cursor, { floor, timestampMs })
    return timestampMs
  }
}

function timestampFrom(batch: StoredBatch | undefined, floor: number): number | undefined {
  if (batch === undefined) return undefined
  const reader = new RecordReader(batch.bytes)
  while (reader.next()) if (batch.baseOffset + reader.offsetDelta >= floor) return reader.timestampMs
  return undefined
}
