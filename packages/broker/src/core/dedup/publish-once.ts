// hot path (packages/broker/test/core/dedup-throughput.mjs)
import { batchRecordCount, namesProducer } from '@millrace/wire'
import type { DuplicateRecord, PlacedRun } from '../broker.ts'
import type { LogTail } from '../log-tail.ts'
import type { Shard } from '../shard.ts'
import { batchWithout } from './batch-without.ts'
import { LEVEL_STEP, PRODUCER_CHANGE_BYTES } from './limits.ts'
import type { MessageIds } from './message-ids.ts'
import { IN_ORDER, UNKNOWN_OFFSET } from './producer.ts'

/** What is left of a batch to store. */
export interface Admitted {
  /** What to append now, before anything else; undefined when all of it was stored before. */
  readonly batch: Uint8Array | undefined
  /** Records of the batch as it came that are not stored again, in order. */
  readonly duplicates: readonly DuplicateRecord[] | undefined
}

/**
 * Decides what of a batch is new, and remembers it in the open commit, in which there is room for it and the batch from then on.
 * @param ids of its destination, where dedup is on
 * @throws MillraceError `fenced`, `out_of_order_sequence`, `bad_batch`, `record_too_large`
 */
export function admit(shard: Shard, tail: LogTail, partition: number, ids: MessageIds | undefined, batch: Uint8Array): Admitted {
  const records = batchRecordCount(batch)
  const produced = namesProducer(batch)
  const stored = storedByProducer(shard, tail, partition, batch)
  if (stored !== undefined) return { batch: undefined, duplicates: stored }
  const idBytes = ids === undefined ? 0 : ids.makeReady(records)
  shard.store.reserve(batch.length + idBytes + (produced ? PRODUCER_CHANGE_BYTES : 0))
  const admitted = admitIds(shard, tail, partition, ids, batch)
  if (produced) shard.producers.note(batch, tail.id, admitted.duplicates === undefined ? tail.end : UNKNOWN_OFFSET)
  return admitted
}

/** @returns all records of a batch, if each of them was stored before, and remembers nothing. @throws as `admit` */
export function duplicatesOnly(
  shard: Shard,
  tail: LogTail,
  partition: number,
  ids: MessageIds | undefined,
  batch: Uint8Array,
): readonly DuplicateRecord[] | undefined {
  return storedByProducer(shard, tail, partition, batch) ?? ids?.findAll(batch)
}

/** @returns all records of a batch, if its producer published it before. @throws MillraceError `fenced`, `out_of_order_sequence`, `bad_batch` */
export function storedByProducer(
  shard: Shard,
  tail: LogTail,
  partition: number,
  batch: Uint8Array,
): readonly DuplicateRecord[] | undefined {
  if (!namesProducer(batch)) return undefined
  const first = shard.producers.check(batch, tail.id)
  return first === IN_ORDER ? undefined : allOf(batchRecordCount(batch), partition, first)
}

/**
 * Remembers a batch of a producer for a queue with priorities, in the open commit. Sequences count for the queue as a whole, in the log
 * of level 0; what is kept is the level with the offset.
 * @param place of its first record, when all of them are side by side
 */
export function noteByLevel(shard: Shard, tail: LogTail, batch: Uint8Array, place: PlacedRun | undefined): void {
  const offset = place === undefined ? UNKNOWN_OFFSET : place.partition * LEVEL_STEP + place.offset
  shard.producers.note(batch, tail.id, offset)
}

/** The same for message ids alone, in a commit where there is room for `MessageIds.makeReady` and the batch. */
export function admitIds(
  shard: Shard,
  tail: LogTail,
  partition: number,
  ids: MessageIds | undefined,
  batch: Uint8Array,
): Admitted {
  const duplicates = ids?.admit(partition, batch, tail.end)
  if (duplicates === undefined) return { batch, duplicates }
  if (duplicates.length === batchRecordCount(batch)) return { batch: undefined, duplicates }
  const positions = duplicates.map(({ position }) => position)
  return { batch: batchWithout(batch, positions, shard.crc32c), duplicates }
}

function allOf(records: number, partition: number, first: number): DuplicateRecord[] {
  const duplicates: DuplicateRecord[] = []
  const isKnown = first !== UNKNOWN_OFFSET
  const level = isKnown ? Math.floor(first / LEVEL_STEP) : 0
  for (let position = 0; position < records; position++) {
    const offset = isKnown ? first + position - level * LEVEL_STEP : UNKNOWN_OFFSET
    duplicates.push({ position, partition: partition + level, offset })
  }
  return duplicates
}
