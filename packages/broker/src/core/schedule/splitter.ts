/** Moves the batches of a coarse slot to finer ones: a portion and its removal from the coarse slot in one commit. */
import { RecordBatchBuilder } from '@millrace/wire'
import type { StoredBatch } from '../../storage/log-store.ts'
import type { ScheduleHome } from './schedule-home.ts'
import { ENTRY_BYTES, type Entry, appendEntry, readEntries } from './entry.ts'
import { ENTRIES_BYTES_MAX, SHARE_BYTES_MAX } from './limits.ts'
import type { Loader } from './loader.ts'
import type { PendingIds } from './pending-ids.ts'
import { SlotReader } from './slot-reader.ts'
import { slotIndex } from './slot-times.ts'
import type { Slot, Slots } from './slots.ts'

/** What making or giving up a slot takes of a commit. */
const SLOT_BYTES = 64
/** Nothing larger than a quarter of what a commit usually takes is moved at once. */
const COMMIT_SHARE = 0.25

export class Splitter {
  readonly #shard: ScheduleHome
  readonly #ids: PendingIds
  readonly #slots: Slots
  readonly #loader: Loader
  readonly #onReady: () => void
  readonly #builder: RecordBatchBuilder
  #reader: SlotReader | undefined

  constructor(shard: ScheduleHome, ids: PendingIds, slots: Slots, loader: Loader, onReady: () => void) {
    this.#shard = shard
    this.#ids = ids
    this.#slots = slots
    this.#loader = loader
    this.#onReady = onReady
    this.#builder = new RecordBatchBuilder(1024, shard.crc32c)
  }

  /** The slot that is being split. */
  get slot(): Slot | undefined {
    return this.#reader?.slot
  }

  /** Moves some of the slot. @returns whether to go on at once. @throws what `LogStore.read` throws */
  prepare(slot: Slot): boolean {
    if (this.#reader?.slot !== slot) {
      this.abandon()
      this.#reader = new SlotReader(this.#shard, slot, this.#onReady)
    }
    const reader = this.#reader
    const { commitBytesMax } = this.#shard.store.limits
    const bytesMax = Math.min(SHARE_BYTES_MAX, commitBytesMax * COMMIT_SHARE)
    const children = new Map<number, Entry[]>()
    const from = reader.at
    let bytes = 0
    let entries = 0
    let next: StoredBatch | 'wait' | 'end' = reader.next()
    while (typeof next === 'object') {
      readEntries(next.bytes, (entry) => {
        if (this.#ids.count(entry.id, entry.id + entry.messages - 1) === 0) return
        const index = slotIndex(slot.level - 1, entry.dueMs)
        const child = children.get(index)
        if (child === undefined) children.set(index, [entry])
        else child.push(entry)
        entries++
      })
      bytes += next.bytes.length
      reader.passed(next)
      next = bytes < bytesMax ? reader.next() : 'wait'
    }
    if (reader.at > from || next === 'end') {
      this.#shard.store.reserve(bytes + entries * ENTRY_BYTES + (children.size + 2) * SLOT_BYTES)
      for (const [index, list] of children) this.append(this.#slots.at(slot.level - 1, index), list)
      if (next === 'end') {
        this.abandon()
        this.#slots.remove(slot)
      } else this.#shard.store.trim(slot.log, reader.at)
    }
    return next === 'end' || bytes >= bytesMax
  }

  /** Puts entries into a slot; room for them was reserved. */
  append(slot: Slot, entries: readonly Entry[]): void {
    const builder = this.#builder
    for (const entry of entries) {
      if (builder.records > 0 && builder.bytes + entry.batch.length > ENTRIES_BYTES_MAX) this.#flush(slot)
      appendEntry(builder, entry)
      if (entry.dueMs < slot.loadedBelowMs) this.#loader.take(slot, entry)
    }
    this.#flush(slot)
  }

  /** Gives up the slot that is being split. */
  abandon(): void {
    this.#reader?.close()
    this.#reader = undefined
  }

  #flush(slot: Slot): void {
    const { records } = this.#builder
    this.#shard.store.append(slot.log, this.#builder.finish(), records)
    slot.end += records
  }
}
