import type { MillraceError } from '../base/errors.ts'
import type { ScheduleId } from './broker.ts'

/** A topic, queue or exchange that was resolved for publishing. Stays valid until the thing is deleted. */
export interface Destination {
  readonly name: string
  readonly kind: 'topic' | 'queue' | 'exchange'
  /** 1 for a queue, also for one with priorities: there the message decides; 1 for an exchange. May grow. */
  readonly partitions: number
  /**
   * Publishes one record batch as it is (validated: `record-batch.ts` of wire). The bytes may be reused after the call.
   * @param partition 0..partitions-1, or -1 to let the broker spread batches
   * @returns the base offset (when all are duplicates, that of the first original, or 0; -1 for an exchange); the ticket is `broker.ticket()`
   * @throws `bad_batch`, `record_too_large`, `disk_full`, `overloaded`, `draining`, `not_found` when it was deleted, `bad_request` when a
   * record for a queue with priorities has no valid one, `fenced` and `out_of_order_sequence` for a batch of a producer; an exchange:
   * `unroutable` when nothing takes one of the records, and then nothing is published; `queue_full` when a queue refused some, which the others
   * have got
   */
  publish(partition: number, batch: Uint8Array): number
  /**
   * As `publish`, for a door that tells of each record: when a limit of the queue leaves room for the first records only, those are
   * published. A batch of a producer is taken whole or not at all.
   */
  publishWhatFits(partition: number, batch: Uint8Array): number
  /** What the last `publishWhatFits` refused of a batch that it took a part of; an exchange: of any batch. In order. */
  readonly refused: readonly RefusedRecords[] | undefined
  /**
   * What the last `publish` left out because it was published before (`QueueSpec.dedup`, `openProducer`), in order; usually undefined. The
   * other records have the offsets from the base offset on, without gaps. The ticket is not before that of the first publish.
   */
  readonly duplicates: readonly DuplicateRecord[] | undefined
  /** Where the last `publish` put the records, run by run, when that is not side by side in the partition that was named: levels of priority. */
  readonly placed: readonly PlacedRun[] | undefined
  /**
   * Publishes one record batch once the wall clock reaches `dueMs`; what is due already is published at once. Of what is due in the
   * same millisecond, the first that was scheduled goes first. Its timestamps are moved so that the latest is `dueMs`. It goes with its
   * destination when that is deleted. A limit of a queue is not asked: what is due comes all the same.
   * @param dueMs milliseconds since 1970, at most 100 years ahead
   * @returns the id of the first record, those of the others follow; 0 when it was published at once
   * @throws what `publish` throws
   */
  publishLater(partition: number, batch: Uint8Array, dueMs: number): ScheduleId
  /** Partition for a key: murmur2 as Kafka's default partitioner, -1 for no key. */
  partitionFor(key: Uint8Array | null): number
}

/** Asked with the key of each message that is published to an exchange whose keys are words: what it throws refuses the message. */
export type KeyCheck = (exchange: string, key: string) => void

/** Records of a batch that were refused, side by side. */
export interface RefusedRecords {
  /** Of the first of them in the batch, from 0. */
  readonly position: number
  /** How many; absent: all that follow. */
  readonly records?: number
  readonly error: MillraceError
}

/** A record that was published before. */
export interface DuplicateRecord {
  /** In the batch as it was published now, from 0. */
  readonly position: number
  /** Where the first one is, or was. */
  readonly partition: number
  /** -1 when that is not known any more. */
  readonly offset: number
}

/** Records that went to one place, side by side but for duplicates among them. */
export interface PlacedRun {
  /** Of the first of them in the batch, from 0. */
  readonly position: number
  readonly partition: number
  readonly offset: number
}
