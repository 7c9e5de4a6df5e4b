/** Messages that wait in delayed exchanges before these route them. */
import { checkAdmission, checkBatch, checkBatchSize } from '../admission.ts'
import type { PreparedPublish } from '../schedule/schedule-target.ts'
import type { Shard } from '../shard.ts'
import type { Exchange } from './exchange.ts'
import { rewritten } from './runs.ts'

export interface Waits {
  readonly exchanges: readonly Exchange[]
  readonly delayMs: number
}

/**
 * Gets ready to let a batch wait from now on. Its records say that they have waited, for whoever sees them then. What was deleted after the route was
 * found takes nothing, and misses nothing.
 * @throws what `Destination.publish` throws about the batch or the broker, `overloaded`
 */
export function prepareWaits(shard: Shard, { exchanges, delayMs }: Waits, batch: Uint8Array): readonly PreparedPublish[] {
  checkAdmission(shard)
  checkBatchSize(batch.length, shard.limits.batchBytesMax)
  const plain = checkBatch(shard, batch, false)!
  const waited = rewritten(plain, { exchange: undefined, key: undefined, hasWaited: true }, shard.crc32c)
  checkBatchSize(waited.length, shard.limits.batchBytesMax)
  return exchanges
    .filter(({ deleted }) => !deleted)
    .map(({ schedule }) => shard.schedule.prepareDelay(schedule, -1, waited, delayMs))
}
