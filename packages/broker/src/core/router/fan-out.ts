/** Publishes one batch to all destinations of a route. One that refuses it does not keep the others from taking it. */
// hot path (packages/broker/test/core/routing-throughput.mjs)
import { batchRecordCount, namesProducer } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { checkAdmission, checkBatch, checkBatchSize } from '../admission.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import { appendShared, type Place, sharedBytes } from '../shared-append.ts'
import { SHARER_BYTES } from '../transactions/limits.ts'
import { firstKey } from '../writes.ts'
import { SHARERS_MAX } from './limits.ts'
import type { RefusedByDestination } from './router.ts'

/** @param target with one partition. @throws what `Destination.publish` throws about the batch or the broker, and then nothing was published */
export function publishToOne(target: PublishTarget, batch: Uint8Array): RefusedByDestination[] | undefined {
  // What was deleted after the route was found takes nothing, and misses nothing.
  if (target.deleted) return undefined
  try {
    target.publishWhatFits(0, batch)
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'queue_full') return [{ destination: target, position: 0, error }]
    throw error
  }
  return refusedBy(target)
}

/** @throws as `publishToOne` */
export function publishToAll(
  shard: Shard,
  targets: readonly PublishTarget[],
  batch: Uint8Array,
): RefusedByDestination[] | undefined {
  checkAdmission(shard)
  checkBatchSize(batch.length, shard.limits.batchBytesMax)
  if (namesProducer(batch)) {
    throw new MillraceError(
      'bad_request',
      'a batch of an idempotent producer is for one partition of one destination: send it without producer',
    )
  }
  const plain = checkBatch(shard, batch, false)!
  const places: Place[] = []
  const alone: PublishTarget[] = []
  const key = targets.some(({ kind }) => kind === 'topic') ? firstKey(plain) : null
  for (let n = 0; n < targets.length; n++) {
    const target = targets[n]!
    const partition = sharedPartition(target, batch, plain, key)
    if (partition >= 0) places.push(target.placeAt(partition))
    else if (!target.deleted) alone.push(target)
  }
  publishShared(shard, places, batch)
  return alone.length === 0 ? undefined : publishAlone(alone, batch, key)
}

/** The partition of a target to which the batch goes as it is; -1 when it is to look at the batch itself. */
function sharedPartition(target: PublishTarget, batch: Uint8Array, plain: Uint8Array, key: Uint8Array | null): number {
  if (target.deleted || target.ids !== undefined || target.keyed || batch.length > target.bytesMax) return -1
  if (target.limit?.takes(batchRecordCount(batch), batch.length) === false) return -1
  return target.levels === undefined ? target.partitionOrAny(target.partitionFor(key)) : target.levels.sharedLevel(plain)
}

/** As one stored copy, or as few as can be. */
function publishShared(shard: Shard, places: readonly Place[], batch: Uint8Array): void {
  const { store } = shard
  const sharers = Math.floor((store.limits.batchBytesMax - batch.length) / SHARER_BYTES)
  const most = Math.max(1, Math.min(SHARERS_MAX, sharers))
  for (let from = 0; from < places.length; from += most) {
    const some = places.length <= most ? places : places.slice(from, from + most)
    store.reserve(sharedBytes(some, batch))
    appendShared(shard, some, batch)
  }
}

/** Each as if it were published to it alone, but that the broker takes it. */
function publishAlone(
  targets: readonly PublishTarget[],
  batch: Uint8Array,
  key: Uint8Array | null,
): RefusedByDestination[] | undefined {
  let refused: RefusedByDestination[] | undefined
  for (const target of targets) {
    try {
      target.publishAdmitted(target.partitionFor(key), batch)
      const rest = refusedBy(target)
      if (rest !== undefined) (refused ??= []).push(...rest)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      ;(refused ??= []).push({ destination: target, position: 0, error })
    }
  }
  return refused
}

/** What did not fit, the last time. */
function refusedBy(target: PublishTarget): RefusedByDestination[] | undefined {
  return target.refused?.map(({ position, error }) => ({ destination: target, position, error }))
}
