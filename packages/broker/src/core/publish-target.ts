/** A topic or queue as publishers see it. */
// hot path (packages/broker/test/core/throughput.mjs)
import {
  BATCH_HAS_EXPIRY,
  batchAttributes,
  batchRecordCount,
  destinationAddress,
  namesProducer,
  partitionOfKey,
  type RecordHeader,
} from '@millrace/wire'
import { assert } from '../base/assert.ts'
import { MillraceError } from '../base/errors.ts'
import { checkAdmission, checkBatch, checkBatchSize, keyless } from './admission.ts'
import type { Destination, DuplicateRecord, PlacedRun, RefusedRecords } from './broker.ts'
import type { CheckedDedup, DedupDefinition } from './dedup/dedup-settings.ts'
import type { QueueLimit } from './delivery/queue-limit.ts'
import { MessageIds } from './dedup/message-ids.ts'
import { same } from './definitions.ts'
import { PRODUCER_CHANGE_BYTES } from './dedup/limits.ts'
import { admit, admitIds, type Admitted, duplicatesOnly, noteByLevel, storedByProducer } from './dedup/publish-once.ts'
import { firstRecords, recordsFrom } from './first-records.ts'
import type { LogId } from '../storage/log-store.ts'
import type { LogTail } from './log-tail.ts'
import { PART_BYTES } from './priorities/limits.ts'
import { type AppendedPart, placesOf } from './priorities/places-of.ts'
import type { QueueLevels } from './priorities/queue-levels.ts'
import type { BatchPart } from './priorities/split-by-level.ts'
import type { PreparedPublish, ScheduleTarget } from './schedule/schedule-target.ts'
import type { Shard } from './shard.ts'
import type { Place } from './shared-append.ts'

export class PublishTarget implements Destination, ScheduleTarget {
  readonly name: string
  readonly kind: 'topic' | 'queue'
  /** Its entity in the state log. */
  readonly entity: number
  /** Whether each record must have a key. */
  keyed = false
  deleted = false
  /** Of a topic that takes less than the broker. */
  batchBytesMax: number | undefined
  /** The ids of its messages, while dedup is on. */
  ids: MessageIds | undefined
  duplicates: readonly DuplicateRecord[] | undefined
  placed: readonly PlacedRun[] | undefined
  refused: readonly RefusedRecords[] | undefined
  /** Of a queue. */
  limit: QueueLimit | undefined
  /** Of a queue with priorities: its partitions. */
  levels: QueueLevels | undefined
  readonly #shard: Shard
  /** By partition; grows. Of levels only those that are made. */
  readonly #tails: readonly (LogTail | undefined)[]
  readonly #places: Place[] = []
  #next = 0
  #isAdmitted = false

  constructor(shard: Shard, kind: 'topic' | 'queue', name: string, tails: readonly (LogTail | undefined)[], entity: number) {
    this.#shard = shard
    this.entity = entity
    this.kind = kind
    this.name = name
    this.#tails = tails
  }

  get address(): string {
    return destinationAddress(this.kind, this.name)
  }

  /** Largest batch that it takes. */
  get bytesMax(): number {
    const ofBroker = this.#shard.limits.batchBytesMax
    return this.batchBytesMax === undefined ? ofBroker : Math.min(this.batchBytesMax, ofBroker)
  }

  get partitions(): number {
    return this.kind === 'queue' ? 1 : this.#tails.length
  }

  publish(partition: number, batch: Uint8Array): number {
    if (this.limit?.keepsRefused !== true) return this.#publish(partition, batch)
    try {
      return this.#publish(partition, batch)
    } catch (error) {
      if (isFull(error)) this.limit.refused(this.#shard.plain.of(batch))
      throw error
    }
  }

  #publish(partition: number, batch: Uint8Array): number {
    this.duplicates = undefined
    this.placed = undefined
    if (this.levels !== undefined) return this.#publishByLevel(this.levels, partition, batch)
    if (this.ids !== undefined || namesProducer(batch)) return this.#publishOnce(partition, batch)
    this.accepts(batch.length)
    this.#checkContent(batch)
    this.limit?.check(batchRecordCount(batch), batch.length)
    const at = this.partitionOrAny(partition)
    const records = batchRecordCount(batch)
    const base = this.#append(this.#tails[at]!, batch, records)
    this.#count(batch, records)
    return base
  }

  publishWhatFits(partition: number, batch: Uint8Array): number {
    this.refused = undefined
    try {
      return this.#publish(partition, batch)
    } catch (error) {
      if (!isFull(error)) throw error
      return this.#publishFirst(partition, batch, error)
    }
  }

  /** As `publishWhatFits`, after `checkAdmission`: what the broker began to take it takes for all destinations, however much that is. */
  publishAdmitted(partition: number, batch: Uint8Array): number {
    this.#isAdmitted = true
    try {
      return this.publishWhatFits(partition, batch)
    } finally {
      this.#isAdmitted = false
    }
  }

  /** Publishes the records for which there is room. @throws `full` when there is none */
  #publishFirst(partition: number, batch: Uint8Array, full: MillraceError): number {
    const { plain, crc32c } = this.#shard
    const limit = this.limit!
    const all = plain.of(batch)
    const position = namesProducer(batch) ? 0 : limit.fitting(all)
    if (position === 0) {
      if (limit.keepsRefused) limit.refused(all)
      throw full
    }
    const base = this.#publish(partition, firstRecords(all, position, crc32c))
    if (limit.keepsRefused) limit.refused(recordsFrom(all, position, crc32c))
    this.refused = [{ position, error: full }]
    return base
  }

  /** A limit of the queue is not asked: it is about what is in the queue, and this is not yet. */
  publishLater(partition: number, batch: Uint8Array, dueMs: number): number {
    this.accepts(batch.length)
    const plain = this.#checkContent(batch)
    this.levels?.check(plain)
    if (partition >= 0) this.partitionOrAny(partition)
    return this.#shard.schedule.add(this, partition, plain, dueMs)
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

  /** @param partition -1 for any. @throws `bad_request` */
  partitionOrAny(partition: number): number {
    const at = partition < 0 ? this.#anyPartition() : partition
    if (at < this.partitions) return at
    throw new MillraceError(
      'bad_request',
      `${this.kind}:${this.name} has the partitions 0..${this.partitions - 1}, not ${partition}`,
    )
  }

  /** What a batch that was checked becomes: by level, where there are priorities. What is no priority counts as 0. */
  divide(partition: number, checked: Uint8Array): readonly BatchPart[] {
    const batch = this.looksIntoBatches ? this.#shard.plain.of(checked) : checked
    return this.levels === undefined ? [{ partition, batch }] : this.levels.divide(batch)
  }

  /** Whether what it stores depends on records, so that batches are stored plain. */
  get looksIntoBatches(): boolean {
    return this.levels !== undefined || this.ids !== undefined
  }

  /** What parts take in a commit, with their message ids, at most. */
  partsBytes(parts: readonly BatchPart[]): number {
    let bytes = this.newPartitionsBytes(parts.length)
    for (const { batch } of parts) bytes += batch.length + PART_BYTES + this.idBytes(batch)
    return bytes
  }

  /** What levels that these messages are the first of add to a commit, at most. */
  newPartitionsBytes(batches: number): number {
    return this.levels?.newLevelsBytes(batches) ?? 0
  }

  /** @throws `bad_request` when there is no such partition */
  existingPartition(partition: number): number {
    if (Number.isInteger(partition) && partition >= 0) return this.partitionOrAny(partition)
    throw new MillraceError('bad_request', `a partition of ${this.kind}:${this.name} must be named, not ${partition}`)
  }

  /** The log of a partition. There is room for `newPartitionsBytes` in the open commit. */
  logOf(partition: number): LogId {
    return this.#tail(partition).id
  }

  /** One of its logs, for those that share batches: the same object each time. */
  placeAt(partition: number): Place {
    return (this.#places[partition] ??= { target: this, partition })
  }

  /** Bytes to reserve for the message ids of a batch that was checked. */
  idBytes(batch: Uint8Array): number {
    return this.ids === undefined ? 0 : this.ids.makeReady(batchRecordCount(batch))
  }

  /** Appends a part that was checked, without what `ids` know; there is room for `partsBytes` in the open commit. @returns its base offset */
  publishNew(partition: number, batch: Uint8Array): number {
    return this.#appendAdmitted(partition, admitIds(this.#shard, this.#tail(partition), partition, this.ids, batch))
  }

  prepare(partition: number, batch: Uint8Array): PreparedPublish {
    const parts = this.divide(this.partitionOrAny(partition), batch)
    return { bytes: this.partsBytes(parts), append: () => void this.publishParts(parts) }
  }

  /** Appends parts of what was checked into one commit, in which there is room for `partsBytes`. */
  publishParts(parts: readonly BatchPart[]): AppendedPart[] {
    const { cycle, store } = this.#shard
    const wasTogether = cycle.together
    cycle.together = true
    const appended = parts.map(({ partition, batch }) => {
      const base = this.publishNew(partition, batch)
      return { partition, base, duplicates: this.duplicates }
    })
    cycle.together = wasTogether
    cycle.bound()
    // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
    store.touch()
    return appended
  }

  /** A batch that was checked is in the store. */
  published(partition: number, base: number, batch: Uint8Array, records: number): void {
    this.#appended(this.#tail(partition), base, batch, records)
    this.#count(batch, records)
  }

  partitionFor(key: Uint8Array | null): number {
    return key === null ? -1 : partitionOfKey(key, this.partitions)
  }

  place(key: Uint8Array | null, headers: readonly RecordHeader[]): number {
    if (this.levels !== undefined) return this.levels.levelOf(headers)
    return key === null ? 0 : this.partitionFor(key)
  }

  append(partition: number, batch: Uint8Array, records: number): void {
    this.#append(this.#tail(partition), batch, records)
  }

  #tail(partition: number): LogTail {
    return this.#tails[partition] ?? this.levels!.at(partition)
  }

  /** Each record to the level of its priority; all of them in one commit. */
  #publishByLevel(levels: QueueLevels, asked: number, given: Uint8Array): number {
    this.checkLife()
    this.#checkSize(given.length)
    const batch = this.#checkContent(given)
    this.partitionOrAny(asked)
    const scan = levels.check(batch)
    const sequences = levels.at(0)
    const stored = this.#admission(sequences, 0, batch) ?? storedByProducer(this.#shard, sequences, 0, batch)
    if (stored !== undefined) return this.#appendAdmitted(0, { batch: undefined, duplicates: stored })
    const isProduced = namesProducer(batch)
    const tail = levels.tails[scan.first]
    if (tail !== undefined && !scan.isMixed && !isProduced && this.ids === undefined) {
      const records = batchRecordCount(batch)
      const base = this.#append(tail, batch, records)
      this.#count(batch, records)
      if (scan.first > 0) this.placed = [{ position: 0, partition: scan.first, offset: base }]
      return base
    }
    const parts = levels.divide(batch, scan)
    this.#shard.store.reserve(this.partsBytes(parts) + (isProduced ? PRODUCER_CHANGE_BYTES : 0))
    const { placed, duplicates } = placesOf(scan, this.publishParts(parts))
    const first = placed[0]
    if (isProduced) noteByLevel(this.#shard, sequences, batch, placed.length === 1 && duplicates.length === 0 ? first : undefined)
    this.duplicates = duplicates.length > 0 ? duplicates : undefined
    if (placed.length > 1 || (first !== undefined && first.partition > 0)) this.placed = placed
    return first?.offset ?? Math.max(0, duplicates[0]!.offset)
  }

  /** Whether there is room for a batch. @returns its records, if all of them are stored already. @throws as `publish` */
  #admission(tail: LogTail, partition: number, batch: Uint8Array): readonly DuplicateRecord[] | undefined {
    try {
      this.accepts(batch.length)
      this.limit?.check(batchRecordCount(batch), batch.length)
      return undefined
    } catch (error) {
      // What is stored already needs no room, and its publisher must not be told that it is not.
      const duplicates = duplicatesOnly(this.#shard, tail, partition, this.ids, batch)
      if (duplicates === undefined) throw error
      return duplicates
    }
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

  #publishOnce(asked: number, sent: Uint8Array): number {
    this.checkLife()
    this.#checkSize(sent.length)
    const plain = this.#checkContent(sent)
    // Some of its records may be left out.
    const batch = this.ids === undefined ? sent : plain
    const partition = this.partitionOrAny(asked)
    if (asked < 0 && this.#tails.length > 1 && namesProducer(batch)) {
      throw new MillraceError('bad_request', 'a batch of an idempotent producer must name its partition')
    }
    const tail = this.#tails[partition]!
    const stored = this.#admission(tail, partition, batch)
    if (stored !== undefined) return this.#appendAdmitted(partition, { batch: undefined, duplicates: stored })
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
    const base = this.#append(this.#tail(partition), batch, records)
    this.#count(batch, records)
    this.#shard.cycle.bound()
    // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
    this.#shard.store.touch()
    return base
  }

  #anyPartition(): number {
    this.#next = (this.#next + 1) % this.partitions
    return this.#next
  }

  /** Whether it takes a batch of that size now. @throws as `publish` */
  accepts(bytes: number): void {
    this.checkLife()
    if (!this.#isAdmitted) checkAdmission(this.#shard)
    this.#checkSize(bytes)
  }

  /** @returns the batch in the form in which it would be stored: compressed only where that is how it came. @throws as `publish` */
  check(batch: Uint8Array): Uint8Array {
    this.accepts(batch.length)
    const plain = this.#checkContent(batch)
    this.levels?.check(plain)
    const stored = this.looksIntoBatches ? plain : batch
    this.limit?.check(batchRecordCount(stored), stored.length)
    return stored
  }

  /** @throws MillraceError `not_found` when it was deleted, or why the broker takes nothing any more */
  checkLife(): void {
    const { refusal } = this.#shard
    if (refusal !== undefined) throw refusal
    if (this.deleted) throw new MillraceError('not_found', `${this.kind}:${this.name} was deleted`)
  }

  #checkSize(bytes: number): void {
    checkBatchSize(bytes, this.bytesMax)
  }

  /** @returns the batch, not compressed */
  #checkContent(batch: Uint8Array): Uint8Array {
    const plain = checkBatch(this.#shard, batch, this.keyed)
    if (plain === undefined) throw keyless(this.name)
    return plain
  }
}

function isFull(error: unknown): error is MillraceError {
  return error instanceof MillraceError && error.code === 'queue_full'
}
