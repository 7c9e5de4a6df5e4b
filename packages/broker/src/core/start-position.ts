import { RecordReader } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { LogId, LogStore } from '../storage/log-store.ts'
import type { StartPosition } from './broker.ts'
import { type DeliveryState, newDeliveryState } from './delivery/delivery-state.ts'
import type { Cursor } from './delivery/cursor.ts'
import type { LogTail } from './log-tail.ts'
import type { Shard } from './shard.ts'

/** @throws MillraceError `bad_request` */
export function checkStartPosition(from: StartPosition): void {
  if (from === 'earliest' || from === 'latest') return
  if (typeof from === 'object' && from !== null) {
    if ('offset' in from && Number.isSafeInteger(from.offset) && from.offset >= 0) return
    if ('timestampMs' in from && Number.isSafeInteger(from.timestampMs)) return
  }
  throw new MillraceError(
    'bad_request',
    `a start position is "earliest", "latest", {"offset": 0 or more} or {"timestampMs": milliseconds since 1970}, not ${JSON.stringify(from)}`,
  )
}

/** The offset of the first record whose timestamp is `timestampMs` or later; the end of the log when there is none. */
export async function offsetAtTimestamp(store: LogStore, log: LogId, timestampMs: number): Promise<number> {
  // What is committed while this looks is later than all that is found missing.
  const { end } = store.bounds(log)
  const found = await store.offsetForTimestamp(log, timestampMs)
  if (found === undefined) return end
  const at = Math.max(found, store.bounds(log).start)
  const [batch] = await store.read(log, at, 1)
  if (batch === undefined) return at
  const reader = new RecordReader(batch.bytes)
  while (reader.next()) {
    const offset = batch.baseOffset + reader.offsetDelta
    if (offset >= at && reader.timestampMs >= timestampMs) return offset
  }
  return batch.lastOffset + 1
}

/** A cursor that begins there. */
export function startState(from: StartPosition, tail: LogTail): DeliveryState {
  if (from === 'earliest') return newDeliveryState(tail.start)
  if (from === 'latest') return newDeliveryState(tail.end)
  if ('offset' in from) return newDeliveryState(Math.min(Math.max(from.offset, tail.start), tail.end))
  return newDeliveryState(tail.start, from.timestampMs)
}

/** Has a new cursor begin at a time, once it is found where that is. */
export async function seekTimestamp({ store, warn }: Shard, cursor: Cursor, timestampMs: number): Promise<void> {
  try {
    cursor.sought(await offsetAtTimestamp(store, cursor.log.id, timestampMs))
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    if (!cursor.closed) warn(`${cursor.owner.address} cannot find where to begin: ${error.message}`)
  }
}
