/** Topics as they are stored, for doors whose clients keep positions themselves. */
import type { Lease } from '../base/lease.ts'
import type { Cleanup, Retention } from './specs.ts'
import type { LogBounds, StoredBatch, Ticket } from '../storage/log-store.ts'

/** Stays valid until the topic is deleted. */
export interface StoredTopic {
  /** 32 hexadecimal digits, never given twice. */
  readonly id: string
  readonly name: string
  readonly deleted: boolean
  readonly retention: Retention
  readonly cleanup: Cleanup
  /** Undefined where it is that of the broker. */
  readonly batchBytesMax: number | undefined
  /** By partition; grows. */
  readonly partitions: readonly StoredPartition[]
}

/** Methods throw MillraceError `not_found` once the topic is deleted. */
export interface StoredPartition {
  bounds(): LogBounds
  /**
   * The batches from the one that holds `from`, up to about `bytesMax` but at least one; none at the end. They are as they were
   * published, compressed perhaps; bytes 0 to 16 of each are not meaningful but for its length. Read-only; they may be kept.
   * @param lease for whoever is done with them soon: may be given what they lie in, and then they may be looked at as long as it is held
   * @throws MillraceError `offset_out_of_range`, `data_corrupt`
   */
  read(from: number, bytesMax: number, lease?: Lease): readonly StoredBatch[] | Promise<readonly StoredBatch[]>
  /** The first record whose timestamp is `timestampMs` or later. */
  at(timestampMs: number): Promise<RecordPlace | undefined>
  /** The first of the records with the highest timestamp. */
  latest(): Promise<RecordPlace | undefined>
  /** Calls back when there is more to read, or the topic is gone. @returns a function that stops it */
  watch(listener: () => void): () => void
  /** Drops the records before `offset`. @throws MillraceError `offset_out_of_range` */
  trim(offset: number): Ticket
}

/** An idempotent producer that wrote to a partition, or waits to in a transaction. */
export interface PartitionProducer {
  readonly producerId: number
  readonly epoch: number
  /** Of the last record that it wrote. */
  readonly lastSequence: number
  /** Milliseconds since 1970, to the minute. */
  readonly usedMs: number
}

export interface RecordPlace {
  readonly offset: number
  readonly timestampMs: number
}
