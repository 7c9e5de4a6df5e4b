// hot path (packages/broker/test/kafka/throughput.mjs)
/** Reads what a fetch asks for, once, partition by partition, as far as its bytes go. */
import { topicAddress } from '@millrace/wire'
import { Lease } from '../../../base/lease.ts'
import type { StoredPartition, StoredTopic } from '../../../core/broker.ts'
import { permit } from '../access.ts'
import { errorCodeOf, errors, KafkaError } from '../errors.ts'
import { NO_TOPIC_ID, partitionOf, topicOf } from '../handlers/topic-lookup.ts'
import { LEADER_EPOCH, limits } from '../limits.ts'
import type { Client } from '../served-api.ts'
import type { WantedPartition } from './fetch-session.ts'
import type { FetchTerms } from './fetch-terms.ts'

/** Of a stored batch. */
type Batch = Awaited<ReturnType<StoredPartition['read']>>[number]

export interface PartitionResult {
  readonly wanted: WantedPartition
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  /** Pieces of the record batches. */
  readonly records: readonly Uint8Array[]
}

/** What stands before the leader epoch of a batch, and it: base offset i64, length i32, leader epoch i32. */
const BATCH_START_BYTES = 16
const LENGTH_AT = 8

const NO_RECORDS: readonly Uint8Array[] = []

export class FetchRound {
  readonly results: PartitionResult[] = []
  /** Of the records in `results`. */
  readonly lease: Lease = new Lease()
  bytes = 0
  failed = false
  readonly #client: Client
  readonly #wanted: readonly WantedPartition[]
  readonly #bytesMin: number
  readonly #bytesMax: number
  #at = 0
  /** Of the partition that is being read. */
  #found: Batch[] = []
  #foundBytes = 0
  #isAtEnd = false

  constructor(client: Client, wanted: readonly WantedPartition[], { bytesMin, bytesMax }: FetchTerms) {
    this.#client = client
    this.#wanted = wanted
    this.#bytesMin = bytesMin
    this.#bytesMax = Math.min(bytesMax, limits.fetchBytesMax)
  }

  /** Reads all, at once where no disk has to be waited for. */
  run(): void | Promise<void> {
    for (; this.#at < this.#wanted.length; this.#next()) {
      const wanted = this.#wanted[this.#at]!
      try {
        const partition = this.#find(wanted)
        while (this.#goesOn(partition, wanted)) {
          const read = this.#read(partition, wanted)
          if (read instanceof Promise) return this.#readLater(wanted, read)
          this.#add(read)
        }
        this.#take(partition, wanted)
      } catch (error) {
        this.#fail(wanted, error)
      }
    }
    return undefined
  }

  async #readLater(wanted: WantedPartition, read: Promise<readonly Batch[]>): Promise<void> {
    try {
      this.#add(await read)
    } catch (error) {
      // What was found is given; the next fetch begins at what cannot be read.
      if (this.#found.length > 0) this.#isAtEnd = true
      else {
        this.#fail(wanted, error)
        this.#next()
      }
    }
    await this.run()
  }

  #next(): void {
    this.#at++
    this.#found = []
    this.#foundBytes = 0
    this.#isAtEnd = false
  }

  /** A read gives what lies together, which may be less than the client wants to wait for. */
  #goesOn(partition: StoredPartition, { bytesMax }: WantedPartition): boolean {
    if (this.#isAtEnd) return false
    const last = this.#found[this.#found.length - 1]
    if (last === undefined) return true
    const isEnough = this.bytes + this.#foundBytes >= this.#bytesMin || this.#foundBytes >= bytesMax
    return !isEnough && last.lastOffset + 1 < partition.bounds().end
  }

  #add(batches: readonly Batch[]): void {
    if (batches.length === 0) this.#isAtEnd = true
    for (const batch of batches) {
      this.#found.push(batch)
      this.#foundBytes += batch.bytes.length
    }
  }

  #find(wanted: WantedPartition): StoredPartition {
    const client = this.#client
    // Whether a topic is there is not told to who may not know.
    if (wanted.topicId === NO_TOPIC_ID) permit(client, 'read', topicAddress(wanted.topic))
    const topic: StoredTopic = topicOf(client.broker, wanted.topic, wanted.topicId)
    if (wanted.topicId !== NO_TOPIC_ID) permit(client, 'read', topicAddress(topic.name))
    if (wanted.currentLeaderEpoch > LEADER_EPOCH) {
      throw new KafkaError(errors.UNKNOWN_LEADER_EPOCH, `the leader epoch is ${LEADER_EPOCH}`)
    }
    return partitionOf(topic, wanted.index)
  }

  #read(partition: StoredPartition, { fetchOffset, bytesMax }: WantedPartition): readonly Batch[] | Promise<readonly Batch[]> {
    const { start, end } = partition.bounds()
    const last = this.#found[this.#found.length - 1]
    const from = last === undefined ? fetchOffset : last.lastOffset + 1
    const left = this.#bytesMax - this.bytes - this.#foundBytes
    // What is out of range is told although there is no room for records.
    if (from === end || (left <= 0 && this.bytes > 0 && from >= start && from < end)) return []
    return partition.read(from, Math.max(1, Math.min(left, bytesMax - this.#foundBytes)), this.lease)
  }

  #take(partition: StoredPartition, wanted: WantedPartition): void {
    const { start, end } = partition.bounds()
    const count = this.#fitting(wanted, this.#found)
    const records = count === 0 ? NO_RECORDS : asSent(this.#found, count)
    this.results.push({ wanted, errorCode: errors.NONE, highWatermark: end, logStartOffset: start, records })
  }

  /** How many of the batches are sent. The first batch of a response always is. */
  #fitting({ bytesMax }: WantedPartition, batches: readonly Batch[]): number {
    let left = Math.min(this.#bytesMax - this.bytes, bytesMax)
    let count = 0
    while (count < batches.length) {
      const { length } = batches[count]!.bytes
      if (length > left && (count > 0 || this.bytes > 0)) break
      left -= length
      this.bytes += length
      count++
    }
    return count
  }

  #fail(wanted: WantedPartition, error: unknown): void {
    this.failed = true
    const errorCode = errorCodeOf(error)
    const isUnknownId = wanted.topicId !== NO_TOPIC_ID && errorCode === errors.UNKNOWN_TOPIC_OR_PARTITION
    this.results.push({
      wanted,
      errorCode: isUnknownId ? errors.UNKNOWN_TOPIC_ID : errorCode,
      highWatermark: -1,
      logStartOffset: -1,
      records: NO_RECORDS,
    })
  }
}

/** Batches with their own offsets; the rest is as it is stored, and not copied. */
export function asSent(batches: readonly Pick<Batch, 'baseOffset' | 'bytes'>[], count: number): readonly Uint8Array[] {
  const starts = new Uint8Array(BATCH_START_BYTES * count)
  const view = new DataView(starts.buffer)
  const pieces: Uint8Array[] = []
  for (let n = 0; n < count; n++) {
    const { baseOffset, bytes } = batches[n]!
    const at = n * BATCH_START_BYTES
    view.setInt32(at, Math.floor(baseOffset / 4_294_967_296))
    view.setUint32(at + 4, baseOffset >>> 0)
    view.setInt32(at + LENGTH_AT, bytes.length - LENGTH_AT - 4)
    view.setInt32(at + LENGTH_AT + 4, LEADER_EPOCH)
    pieces.push(starts.subarray(at, at + BATCH_START_BYTES), bytes.subarray(BATCH_START_BYTES))
  }
  return pieces
}
