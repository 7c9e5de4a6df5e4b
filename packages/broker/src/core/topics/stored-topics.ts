// hot path (packages/broker/test/kafka/throughput.mjs)
import { RecordReader } from '@millrace/wire'
import type { Lease } from '../../base/lease.ts'
import { assert } from '../../base/assert.ts'
import type { BatchInfo, LogBounds, LogId, StoredBatch, Ticket } from '../../storage/log-store.ts'
import type { Topic } from '../entities.ts'
import type { LogReader, LogTail } from '../log-tail.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import type { Cleanup, Retention } from '../specs.ts'
import type { PartitionProducer, RecordPlace, StoredPartition, StoredTopic } from '../stored-topic.ts'

/** More than there can be in a log. */
const ALL_BATCHES = Number.MAX_SAFE_INTEGER

/** The stored side of all topics, made when it is first asked for. */
export class StoredTopics {
  readonly #shard: Shard
  readonly #topics: ReadonlyMap<string, Topic>
  readonly #made = new WeakMap<Topic, StoredTopic>()
  #byId = new Map<string, StoredTopic>()

  constructor(shard: Shard, topics: ReadonlyMap<string, Topic>) {
    this.#shard = shard
    this.#topics = topics
  }

  of(topic: Topic): StoredTopic {
    let stored = this.#made.get(topic)
    if (stored === undefined) {
      stored = new CoreStoredTopic(this.#shard, topic)
      this.#made.set(topic, stored)
    }
    return stored
  }

  all(): readonly StoredTopic[] {
    return [...this.#topics.values()].map((topic) => this.of(topic))
  }

  producersOf(partitions: readonly StoredPartition[]): readonly (readonly PartitionProducer[])[] {
    const logs = partitions.map((partition) => {
      assert(partition instanceof Partition, 'a partition comes from the broker that it is used with')
      return partition.log
    })
    const found = this.#shard.producers.of(new Set(logs))
    return logs.map((log) => found.get(log) ?? [])
  }

  byId(id: string): StoredTopic | undefined {
    if (!id.startsWith(idPrefix(this.#shard))) return undefined
    const known = this.#byId.get(id)
    if (known !== undefined && !known.deleted) return known
    this.#byId = new Map(this.all().map((topic) => [topic.id, topic]))
    return this.#byId.get(id)
  }
}

/** Broker ids are random and log ids are never used twice. */
function idPrefix({ id }: Shard): string {
  return id.slice(0, 16)
}

class CoreStoredTopic implements StoredTopic {
  readonly id: string
  readonly #topic: Topic
  readonly #shard: Shard
  readonly #partitions: Partition[] = []

  constructor(shard: Shard, topic: Topic) {
    this.#shard = shard
    this.#topic = topic
    this.id = idPrefix(shard) + topic.tails[0]!.id.toString(16).padStart(16, '0')
  }

  get name(): string {
    return this.#topic.name
  }

  get deleted(): boolean {
    return this.#topic.target.deleted
  }

  get retention(): Retention {
    return this.#topic.retention
  }

  get cleanup(): Cleanup {
    return this.#topic.cleanup
  }

  get batchBytesMax(): number | undefined {
    return this.#topic.target.batchBytesMax
  }

  get partitions(): readonly StoredPartition[] {
    const { tails, target } = this.#topic
    for (let n = this.#partitions.length; n < tails.length; n++)
      this.#partitions.push(new Partition(this.#shard, tails[n]!, target))
    return this.#partitions
  }
}

class Partition implements StoredPartition {
  readonly log: LogId
  readonly #shard: Shard
  readonly #tail: LogTail
  readonly #target: PublishTarget

  constructor(shard: Shard, tail: LogTail, target: PublishTarget) {
    this.#shard = shard
    this.#tail = tail
    this.log = tail.id
    this.#target = target
  }

  bounds(): LogBounds {
    this.#target.checkLife()
    return this.#shard.stored.bounds(this.#tail.id)
  }

  read(from: number, bytesMax: number, lease?: Lease): readonly StoredBatch[] | Promise<readonly StoredBatch[]> {
    this.#target.checkLife()
    return this.#shard.stored.read(this.#tail.id, from, bytesMax, lease)
  }

  async at(timestampMs: number): Promise<RecordPlace | undefined> {
    const { store } = this.#shard
    const { id } = this.#tail
    let from = await store.offsetForTimestamp(id, timestampMs)
    while (from !== undefined) {
      const { start, end } = this.bounds()
      const at = Math.max(from, start)
      if (at >= end) return undefined
      const [batch] = await store.read(id, at, 1)
      if (batch === undefined) return undefined
      const place = firstFrom(batch, at, timestampMs)
      if (place !== undefined) return place
      from = batch.lastOffset + 1
    }
    return undefined
  }

  async latest(): Promise<RecordPlace | undefined> {
    this.#target.checkLife()
    let newest: BatchInfo | undefined
    for (const batch of await this.#shard.stored.oldest(this.#tail.id, ALL_BATCHES)) {
      if (newest === undefined || batch.maxTimestampMs > newest.maxTimestampMs) newest = batch
    }
    return newest === undefined ? undefined : this.at(newest.maxTimestampMs)
  }

  watch(listener: () => void): () => void {
    this.#target.checkLife()
    const { cycle, stored } = this.#shard
    const tail = this.#tail
    const reader: LogReader = { committed: listener, compacted: () => {}, gone: listener }
    tail.readers ??= new Set()
    tail.readers.add(reader)
    // It was not there yet when these records were appended.
    if (tail.end > stored.bounds(tail.id).end) cycle.awaitNext(reader)
    return () => {
      tail.readers?.delete(reader)
      if (tail.readers?.size === 0) tail.readers = undefined
    }
  }

  trim(offset: number): Ticket {
    this.#target.checkLife()
    const { stored } = this.#shard
    stored.trim(this.#tail.id, offset)
    this.#tail.trimmed(offset)
    stored.touch()
    return stored.ticket()
  }
}

function firstFrom(batch: StoredBatch, from: number, timestampMs: number): RecordPlace | undefined {
  const reader = new RecordReader(batch.bytes)
  while (reader.next()) {
    const offset = batch.baseOffset + reader.offsetDelta
    if (offset >= from && reader.timestampMs >= timestampMs) return { offset, timestampMs: reader.timestampMs }
  }
  return undefined
}
