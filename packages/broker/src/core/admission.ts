/** What is asked of every publish, whatever it is for. */
// hot path (packages/broker/test/core/throughput.mjs)
import { batchOffsets, batchProblem, batchRecordCount, KEYLESS_RECORD, recordsProblem } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { Shard } from './shard.ts'

/** Publishes are refused when so many times the high mark of bytes wait to be written: a door should have paused long before. */
const OVERLOAD_FACTOR = 4

/** Whether the broker takes messages now. @throws MillraceError why it takes nothing any more, `disk_full`, `overloaded` */
export function checkAdmission({ store, refusal }: Shard): void {
  if (refusal !== undefined) throw refusal
  if (!store.acceptsPublishes) {
    throw new MillraceError('disk_full', 'the disk has no room for new messages: free space or enlarge it; consuming still works')
  }
  if (store.pendingBytes > OVERLOAD_FACTOR * store.limits.pendingBytesHigh) {
    throw new MillraceError('overloaded', 'more messages wait to be written than the broker keeps in memory: publish slower')
  }
}

/** @throws MillraceError `record_too_large` */
export function checkBatchSize(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return
  const what = `a batch of ${bytes} bytes is larger than the limit of ${bytesMax}: send less at once, or raise limits.batchBytesMax`
  throw new MillraceError('record_too_large', what)
}

/**
 * @param keyed whether every record must have a key
 * @returns the batch, not compressed; undefined when a record has no key and must have one
 * @throws MillraceError `bad_batch`
 */
export function checkBatch({ crc32c, plain: plainBatches }: Shard, batch: Uint8Array, keyed: boolean): Uint8Array | undefined {
  const outside = batchProblem(batch, crc32c, true) ?? gapProblem(batch)
  if (outside !== undefined) throw refused(outside)
  const plain = plainBatches.of(batch)
  const problem = recordsProblem(plain, keyed)
  if (problem === undefined) return plain
  if (problem === KEYLESS_RECORD) return undefined
  throw refused(problem)
}

/** What a compacted topic says to a record without a key. */
export function keyless(topic: string): MillraceError {
  return new MillraceError('bad_request', `topic:${topic} is compacted: every record needs a key`)
}

function refused(problem: string): MillraceError {
  return new MillraceError('bad_batch', `the record batch was refused: ${problem}`)
}

/** Only compaction leaves gaps. */
function gapProblem(batch: Uint8Array): string | undefined {
  const offsets = batchOffsets(batch)
  const records = batchRecordCount(batch)
  return offsets === records ? undefined : `it holds ${records} records in ${offsets} offsets`
}
