/** A topic or queue as publishers see it. */
// hot path (packages/broker/test/core/throughput.mjs)
import { batchOffsets, batchProblem, batchRecordCount, KEYLESS_RECORD, partitionOfKey, recordsProblem } from '@millrace/wire'
import { assert } from '../base/assert.ts'
import { MillraceError } from '../base/errors.ts'
import type { Destination } from './broker.ts'
import type { DeadLetterTarget } from './delivery/dead-letter.ts'
import type { LogTail } from './log-tail.ts'
import type { Shard } from './shard.ts'

/** Publishes are refused when so many times the high mark of bytes wait to be written: a door should have paused long before. */
const OVERLOAD_FACTOR = 4

export class PublishTarget implements Destination, DeadLetterTarget {
  readonly name: string
  readonly kind: 'topic' | 'queue'
  /** Whether each record must have a key. */
  keyed = false
  deleted = false
  readonly #shard: Shard
  /** By partition; grows. */
  readonly #tails: readonly LogTail[]
  #next = 0

  constructor(shard: Shard, kind: 'topic' | 'queue', name: string, tails: readonly LogTail[]) {
    this.#shard = shard
    this.kind = kind
    this.name = name
    this.#tails = tails
  }

  get partitions(): number {
    return this.#tails.length
  }

  publish(partition: number, batch: Uint8Array): number {
    this.#check(batch)
    const tail = this.#tails[partition < 0 ? this.#anyPartition() : partition]
    if (tail === undefined) {
      throw new MillraceError(
        'bad_request',
        `${this.kind}:${this.name} has the partitions 0..${this.#tails.length - 1}, not ${partition}`,
      )
    }
    const records = batchRecordCount(batch)
    const totals = this.#shard.totals
    totals.published += records
    totals.publishedBytes += batch.length
    return this.#append(tail, batch, records)
  }

  partitionFor(key: Uint8Array | null): number {
    return key === null ? -1 : partitionOfKey(key, this.#tails.length)
  }

  place(key: Uint8Array | null): number {
    return key === null ? 0 : this.partitionFor(key)
  }

  append(partition: number, batch: Uint8Array, records: number): void {
    this.#append(this.#tails[partition]!, batch, records)
  }

  #append(tail: LogTail, batch: Uint8Array, records: number): number {
    const base = this.#shard.store.append(tail.id, batch, records)
    assert(base === tail.end, 'the core is the only writer of its logs')
    tail.end = base + records
    const followers = tail.followers
    for (let n = 0; n < followers.length; n++) followers[n]!.appended()
    if (tail.readers !== undefined) this.#shard.cycle.gather(tail)
    return base
  }

  #anyPartition(): number {
    this.#next = (this.#next + 1) % this.#tails.length
    return this.#next
  }

  #check(batch: Uint8Array): void {
    const { store, limits, refusal } = this.#shard
    if (refusal !== undefined) throw refusal
    if (this.deleted) throw new MillraceError('not_found', `${this.kind}:${this.name} was deleted`)
    if (!store.acceptsPublishes) {
      throw new MillraceError(
        'disk_full',
        'the disk has no room for new messages: free space or enlarge it; consuming still works',
      )
    }
    if (store.pendingBytes > OVERLOAD_FACTOR * store.limits.pendingBytesHigh) {
      throw new MillraceError('overloaded', 'more messages wait to be written than the broker keeps in memory: publish slower')
    }
    if (batch.length > limits.batchBytesMax) {
      throw new MillraceError(
        'record_too_large',
        `a batch of ${batch.length} bytes is larger than the limit of ${limits.batchBytesMax}`,
      )
    }
    const problem = batchProblem(batch, this.#shard.crc32c) ?? gapProblem(batch) ?? recordsProblem(batch, this.keyed)
    if (problem === undefined) return
    if (problem === KEYLESS_RECORD)
      throw new MillraceError('bad_request', `topic:${this.name} is compacted: every record needs a key`)
    throw new MillraceError('bad_batch', `the record batch was refused: ${problem}`)
  }
}

/** Only compaction leaves gaps. */
function gapProblem(batch: Uint8Array): string | undefined {
  const offsets = batchOffsets(batch)
  const records = batchRecordCount(batch)
  return offsets === records ? undefined : `it holds ${records} records in ${offsets} offsets`
}
