/** One batch as one stored copy for several logs. */
// hot path (packages/broker/test/core/routing-throughput.mjs)
import { batchRecordCount } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { PublishTarget } from './publish-target.ts'
import type { Shard } from './shard.ts'
import { APPEND_BYTES, SHARER_BYTES } from './transactions/limits.ts'

/** A log of a topic or queue. */
export interface Place {
  readonly target: PublishTarget
  readonly partition: number
}

/** What it takes in a commit, at most. */
export function sharedBytes(places: readonly Place[], batch: Uint8Array): number {
  let bytes = batch.length + APPEND_BYTES + places.length * SHARER_BYTES
  for (let n = 0; n < places.length; n++) bytes += places[n]!.target.newPartitionsBytes(1)
  return bytes
}

/** @throws MillraceError `record_too_large` when no batch of that size can be shared by so many */
export function checkSharedSize(shard: Shard, sharers: number, { length }: Uint8Array): void {
  const bytesMax = shard.store.limits.batchBytesMax - sharers * SHARER_BYTES
  if (length <= bytesMax) return
  throw new MillraceError(
    'record_too_large',
    `a batch of ${length} bytes for ${sharers} destinations is larger than the limit of ${bytesMax}`,
  )
}

/** Appends a batch that was checked; there is room for `sharedBytes` in the open commit. @returns the base offset at each place */
export function appendShared({ store }: Shard, places: readonly Place[], batch: Uint8Array): readonly number[] {
  const records = batchRecordCount(batch)
  const logs: number[] = []
  for (let n = 0; n < places.length; n++) logs.push(places[n]!.target.logOf(places[n]!.partition))
  const bases = store.appendShared(logs, batch, records)
  for (let n = 0; n < places.length; n++) places[n]!.target.published(places[n]!.partition, bases[n]!, batch, records)
  return bases
}
