/** A topic or queue as publishers see it. */
// hot path (packages/broker/test/core/throughput.mjs)
import {
  BATCH_HAS_EXPIRY,
  batchAttributes,
  batchOffsets,
  batchProblem,
  batchRecordCount,
  KEYLESS_RECORD,
  namesProducer,
  partitionOfKey,
  recordsProblem,
} from '@millrace/wire'
import { assert } from '../base/assert.ts'
import { MillraceError } from '../base/errors.ts'
import type { Destination, DuplicateRecord } from './broker.ts'
import type { CheckedDedup, DedupDefinition } from './dedup/dedup-settings.ts'
import type { QueueLimit } from './delivery/queue-limit.ts'
import { MessageIds } from './dedup/message-ids.ts'
import { same } from './definitions.ts'
import { admit, admitIds, type Admitted, duplicatesOnly } from './dedup/publish-once.ts'
import type { LogId } from '../storage/log-store.ts'
import type { DeadLetterTarget } from './delivery/dead-letter.ts'
import type { LogTail } from './log-tail.ts'
import type { Shard } from './shard.ts'

/** Publishes are refused when so many times the high mark of bytes wait to be written: a door should have paused long before. */
const OVERLOAD_FACTOR = 4

export class PublishTarget implements Destination, DeadLetterTarget {
  readonly name: string
  readonly kind: 'topic' | 'queue'
  /** Its entity in the state log. */
  readonly entity: number
  /** Whether each record must have a key. */
  keyed = false
  deleted = false
  /** The ids of its messages, while dedup is on. */
  ids: MessageIds | undefined
  duplicates: readonly DuplicateRecord[] | undefined
  /** Of a queue. */
  limit: QueueLimit | undefined
  readonly #shard: Shard
  /** By partition; grows. */
  readonly #tails: readonly LogTail[]
  #next = 0

  constructor(shard: Shard, kind: 'topic' | 'queue', name: string, tails: readonly LogTail[], entity: number) {
    this.#shard = shard
    this.entity = entity
    this.kind = kind
    this.name = name
    this.#tails = tails
  }

  get partitions(): number {
    return this.#tails.length
  }

  publish(partition: number, batch: Uint8Array): number {
    this.duplicates = undefined
    if (this.ids !== undefined || namesProducer(batch)) return this.#publishOnce(partition, batch)
    const at = this.prepare(partition, batch)
    const records = batchRecordCount(batch)
    const base = this.#append(this.#tails[at]!, batch, records)
    this.#count(batch, records)
    return base
  }

  /** A limit of the queue is not asked: it is about what is in the queue, and this is not yet. */
  publishLater(partition: number, batch: Uint8Array, dueMs: number): number {
    this.accepts(batch.length)
    this.#checkContent(batch)
    if (partition >= 0) this.partitionOrAny(partition)
    return this.#shard.schedule.add(this, partition, batch, dueMs)
  }

  // ---- for the registry -----------------------------------------------------------------------------------------------

  hasDedup(dedup: CheckedDedup | undefined): boolean {
    return same(this.ids?.settings ?? {}, dedup ?? {})
  }

  /** @param dedup undefined: off */
  changeDedup(dedup: CheckedDedup | undefined): void {
    if (this.ids !== undefined && dedup !== undefined) this.ids.change(dedup)
    else if (dedup !== undefined) this.ids = new MessageIds(this.#shard, this.#shard.store.createLog(), 0, dedup)
    else {
      this.ids?.close()
      this.ids = undefined
    }
  }

  restoreDedup(dedup: DedupDefinition | undefined): void {
    if (dedup === undefined) return
    const { log, windowMs, entriesMax } = dedup
    this.ids = new MessageIds(this.#shard, log, this.#shard.store.bounds(log).start, { windowMs, entriesMax })
  }

  // ---- for transactions: checked first, written later in the same turn -------------------------------------------------

  /** @returns the partition that the batch would go to. @throws what `publish` would */
  prepare(partition: number, batch: Uint8Array): number {
    this.check(batch)
    return this.partitionOrAny(partition)
  }

  /** @param partition -1 for any. @throws `bad_request` */
  partitionOrAny(partition: number): number {
    const at = partition < 0 ? this.#anyPartition() : partition
    if (at < this.#tails.length) return at
    throw new MillraceError(
      'bad_request',
      `${this.kind}:${this.name} has the partitions 0..${this.#tails.length - 1}, not ${partition}`,
    )
  }

  /** @throws `bad_request` when there is no such partition */
  existingPartition(partition: number): number {
    if (Number.isInteger(partition) && partition >= 0) return this.partitionOrAny(partition)
    throw new MillraceError('bad_request', `a partition of ${this.kind}:${this.name} must be named, not ${partition}`)
  }

  logOf(partition: number): LogId {
    return this.#tails[partition]!.id
  }

  /** Bytes to reserve for the message ids of a batch that was checked. */
  idBytes(batch: Uint8Array): number {
    return this.ids === undefined ? 0 : this.ids.makeReady(batchRecordCount(batch))
  }

  /** Appends a batch that was checked, without what `ids` know; there is room for it and `idBytes` in the open commit. @returns its base offset */
  publishNew(partition: number, batch: Uint8Array): number {
    return this.#appendAdmitted(partition, admitIds(this.#shard, this.#tails[partition]!, partition, this.ids, batch))
  }

  /** A batch that was checked is in the store. */
  published(partition: number, base: number, batch: Uint8Array, records: number): void {
    this.#appended(this.#tails[partition]!, base, batch, records)
    this.#count(batch, records)
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
    this.#appended(tail, base, batch, records)
    return base
  }

  #appended(tail: LogTail, base: number, batch: Uint8Array, records: number): void {
    assert(base === tail.end, 'the core is the only writer of its logs')
    tail.end = base + records
    const followers = tail.followers
    for (let n = 0; n < followers.length; n++) followers[n]!.appended()
    if ((batchAttributes(batch) & BATCH_HAS_EXPIRY) !== 0) for (const follower of followers) follower.expiring()
    if (tail.readers !== undefined) this.#shard.cycle.gather(tail)
    this.limit?.appended(batch.length)
  }

  #count(batch: Uint8Array, records: number): void {
    const totals = this.#shard.totals
    totals.published += records
    totals.publishedBytes += batch.length
  }

  #publishOnce(asked: number, batch: Uint8Array): number {
    this.#checkLife()
    this.#checkSize(batch.length)
    this.#checkContent(batch)
    const partition = this.partitionOrAny(asked)
    if (asked < 0 && this.#tails.length > 1 && namesProducer(batch)) {
      throw new MillraceError('bad_request', 'a batch of an idempotent producer must name its partition')
    }
    const tail = this.#tails[partition]!
    try {
      this.accepts(batch.length)
      this.limit?.check(batchRecordCount(batch), batch.length)
    } catch (error) {
      // What is stored already needs no room, and its publisher must not be told that it is not.
      const duplicates = duplicatesOnly(this.#shard, tail, partition, this.ids, batch)
      if (duplicates === undefined) throw error
      return this.#appendAdmitted(partition, { batch: undefined, duplicates })
    }
    return this.#appendAdmitted(partition, admit(this.#shard, tail, partition, this.ids, batch))
  }

  #appendAdmitted(partition: number, { batch, duplicates }: Admitted): number {
    this.duplicates = duplicates
    if (batch === undefined) {
      // The first publish may not be durable yet: the open commit, which comes after it, has to be.
      this.#shard.store.touch()
      return Math.max(0, duplicates![0]!.offset)
    }
    const records = batchRecordCount(batch)
    const base = this.#append(this.#tails[partition]!, batch, records)
    this.#count(batch, records)
    this.#shard.cycle.bound()
    // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
    this.#shard.store.touch()
    return base
  }

  #anyPartition(): number {
    this.#next = (this.#next + 1) % this.#tails.length
    return this.#next
  }

  /** Whether it takes a batch of that size now. @throws as `publish` */
  accepts(bytes: number): void {
    const { store } = this.#shard
    this.#checkLife()
    if (!store.acceptsPublishes) {
      throw new MillraceError(
        'disk_full',
        'the disk has no room for new messages: free space or enlarge it; consuming still works',
      )
    }
    if (store.pendingBytes > OVERLOAD_FACTOR * store.limits.pendingBytesHigh) {
      throw new MillraceError('overloaded', 'more messages wait to be written than the broker keeps in memory: publish slower')
    }
    this.#checkSize(bytes)
  }

  /** @throws as `publish` */
  check(batch: Uint8Array): void {
    this.accepts(batch.length)
    this.#checkContent(batch)
    this.limit?.check(batchRecordCount(batch), batch.length)
  }

  #checkLife(): void {
    const { refusal } = this.#shard
    if (refusal !== undefined) throw refusal
    if (this.deleted) throw new MillraceError('not_found', `${this.kind}:${this.name} was deleted`)
  }

  #checkSize(bytes: number): void {
    const { batchBytesMax } = this.#shard.limits
    if (bytes <= batchBytesMax) return
    throw new MillraceError('record_too_large', `a batch of ${bytes} bytes is larger than the limit of ${batchBytesMax}`)
  }

  #checkContent(batch: Uint8Array): void {
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
