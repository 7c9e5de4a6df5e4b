/**
 * Compacts one log: keeps the last record of every key, drops tombstones (records without a value) that are older than
 * `tombstoneMs`, and merges small batches. Offsets keep their meaning. Works in passes: each learns the latest offsets of
 * as many keys as memory allows, from where the log is not clean yet, and then rewrites everything below.
 *
 * A crash at any point is harmless: what is dropped was overwritten by a record that stays, and a tombstone goes only in or
 * after the commit that drops what it covers.
 */
import { RecordBatchBuilder, RecordReader } from '@millrace/wire'
import { KIB, MIB } from '../../base/units.ts'
import type { LogId, StoredBatch } from '../../storage/log-store.ts'
import type { CompactionState } from '../log-tail.ts'
import type { Shard } from '../shard.ts'
import { KeyOffsets } from './key-offsets.ts'

const READ_BYTES = 512 * KIB
/** Adjacent batches are merged up to about this size. */
const GROUP_BYTES = 256 * KIB
/** So many small neighbours are merged even when nothing is dropped. */
const MERGE_BATCHES_MIN = 8
const OFFSETS_PER_BATCH_MAX = 2 ** 30

export interface CompactorLimits {
  readonly keysMax: number
  readonly keyBytesMax: number
  readonly tombstoneMs: number
}

export const COMPACTOR_KEYS_MAX = 500_000
export const COMPACTOR_KEY_BYTES_MAX: number = 32 * MIB

/** What keeps going on while a log is compacted: waits for a turn, and says when to give up. */
export interface CompactorPace {
  yield(): Promise<void>
  readonly stopped: boolean
}

/** Neighbouring batches that become one. */
interface Group {
  first: number
  last: number
  sourceBytes: number
  sources: number
  dropped: number
}

export class Compactor {
  readonly #shard: Shard
  readonly #limits: CompactorLimits
  readonly #pace: CompactorPace
  readonly #keys: KeyOffsets
  readonly #builder: RecordBatchBuilder
  #group: Group | undefined
  #kept = 0
  #tombstoneDueMs: number | undefined
  #interrupted = false

  constructor(shard: Shard, limits: CompactorLimits, pace: CompactorPace) {
    this.#shard = shard
    this.#limits = limits
    this.#pace = pace
    this.#keys = new KeyOffsets(limits.keysMax, limits.keyBytesMax)
    this.#builder = new RecordBatchBuilder(GROUP_BYTES, shard.crc32c)
  }

  /**
   * Compacts all that is committed now.
   * @returns what is clean then; undefined when it had to stop
   * @throws what `LogStore.read` throws
   */
  async run(log: LogId, cleaned: number): Promise<CompactionState | undefined> {
    const { end } = this.#shard.store.bounds(log)
    this.#interrupted = false
    let from = cleaned
    do {
      this.#keys.clear()
      const learned = await this.#learn(log, from, end)
      this.#tombstoneDueMs = undefined
      await this.#rewrite(log, learned)
      if (this.#mustStop) return undefined
      from = learned
    } while (from < end)
    return { cleaned: from, tombstoneDueMs: this.#tombstoneDueMs }
  }

  get #mustStop(): boolean {
    return this.#interrupted || this.#pace.stopped
  }

  /** Learns the last offset of each key from `from` on. @returns the end of what it has learned */
  async #learn(log: LogId, from: number, end: number): Promise<number> {
    let at = Math.max(from, this.#shard.store.bounds(log).start)
    while (at < end && !this.#mustStop) {
      const batches = await this.#shard.store.read(log, at, READ_BYTES)
      if (batches.length === 0) return end
      for (const batch of batches) {
        if (batch.baseOffset >= end) return end
        const full = this.#learnBatch(batch, at)
        if (full !== undefined) return full
        at = batch.lastOffset + 1
      }
      await this.#pace.yield()
    }
    return at
  }

  /** @returns the offset of the record for whose key there was no room */
  #learnBatch(batch: StoredBatch, from: number): number | undefined {
    const reader = new RecordReader(batch.bytes)
    while (reader.next()) {
      const offset = batch.baseOffset + reader.offsetDelta
      const key = reader.key
      if (offset < from || key === null) continue
      if (!this.#keys.set(key, offset) && this.#keys.keys > 0) return offset
    }
    return undefined
  }

  async #rewrite(log: LogId, end: number): Promise<void> {
    let at = this.#shard.store.bounds(log).start
    this.#group = undefined
    while (at < end && !this.#mustStop) {
      const batches = await this.#shard.store.read(log, at, READ_BYTES)
      if (batches.length === 0) break
      for (const batch of batches) {
        if (batch.baseOffset >= end) {
          at = end
          break
        }
        if (this.#isGroupFull(batch)) await this.#closeGroup(log)
        if (this.#mustStop) break
        this.#add(batch, end)
        at = batch.lastOffset + 1
      }
      await this.#pace.yield()
    }
    await this.#closeGroup(log)
  }

  #isGroupFull(next: StoredBatch): boolean {
    const group = this.#group
    if (group === undefined) return false
    return group.sourceBytes + next.bytes.length > GROUP_BYTES || next.lastOffset - group.first >= OFFSETS_PER_BATCH_MAX
  }

  #add(batch: StoredBatch, end: number): void {
    const group = (this.#group ??= { first: batch.baseOffset, last: 0, sourceBytes: 0, sources: 0, dropped: 0 })
    group.last = batch.lastOffset
    group.sourceBytes += batch.bytes.length
    group.sources++
    const nowMs = this.#shard.platform.clock.nowMs()
    const reader = new RecordReader(batch.bytes)
    while (reader.next()) {
      const offset = batch.baseOffset + reader.offsetDelta
      const { key, value } = reader
      if (key !== null && offset < end) {
        if (this.#keys.get(key) > offset) {
          group.dropped++
          continue
        }
        if (value === null) {
          const dueMs = reader.timestampMs + this.#limits.tombstoneMs
          if (dueMs <= nowMs) {
            group.dropped++
            continue
          }
          this.#tombstoneDueMs = Math.min(this.#tombstoneDueMs ?? Infinity, dueMs)
        }
      }
      this.#builder.append(reader.timestampMs, key, value, reader.headers, offset - group.first)
      this.#kept++
    }
  }

  async #closeGroup(log: LogId): Promise<void> {
    const group = this.#group
    if (group === undefined) return
    this.#group = undefined
    const kept = this.#kept
    this.#kept = 0
    // Always finished, so that the builder is empty for the next group.
    const batch = kept === 0 ? undefined : this.#builder.finish(group.last - group.first + 1)
    if (group.dropped === 0 && group.sources < MERGE_BATCHES_MIN) return
    const replaced = await this.#shard.store.replace(log, group.first, group.last, group.first, batch)
    // Somebody trimmed the log meanwhile. To go on might drop a tombstone whose key still has a record here.
    if (!replaced) this.#interrupted = true
  }
}
