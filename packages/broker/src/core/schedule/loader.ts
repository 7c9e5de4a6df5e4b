/** Brings the batches that are due next into memory, in bounded portions. */
import type { ScheduleHome } from './schedule-home.ts'
import { DueHeap } from './due-heap.ts'
import { type Entry, readEntries } from './entry.ts'
import { LOADED_ENTRY_BYTES, SHARE_BYTES_MAX } from './limits.ts'
import type { PendingIds } from './pending-ids.ts'
import { SlotReader } from './slot-reader.ts'
import type { Slot } from './slots.ts'

/** One pass through a slot. */
interface Pass {
  readonly reader: SlotReader
  /** `measure`: it is too large to be loaded whole; learns how many bytes are due in each millisecond. */
  readonly kind: 'measure' | 'take'
  /** Of `take`: loads what is due before this... */
  readonly untilMs: number
  /** ...or stops at `bytesMax`, where one millisecond alone is too much. */
  readonly isOneMs: boolean
  /** What it has loaded. */
  bytes: number
  /** Of `measure`. */
  readonly bytesAtMs: Float64Array
}

const NOT_MEASURED = new Float64Array(0)

export class Loader {
  readonly heap: DueHeap = new DueHeap()
  /** What is in the heap, in memory. */
  bytes = 0
  readonly #shard: ScheduleHome
  readonly #ids: PendingIds
  readonly #bytesMax: number
  readonly #onReady: () => void
  #pass: Pass | undefined
  #order = 0

  constructor(shard: ScheduleHome, ids: PendingIds, bytesMax: number, onReady: () => void) {
    this.#shard = shard
    this.#ids = ids
    this.#bytesMax = bytesMax
    this.#onReady = onReady
  }

  /** The slot that is being read. */
  get slot(): Slot | undefined {
    return this.#pass?.reader.slot
  }

  /** Takes an entry into memory. The bytes are copied. */
  take(slot: Slot, entry: Entry): void {
    const batch = entry.batch.slice()
    this.heap.push({ ...entry, batch, slot, order: this.#order++ })
    slot.loaded++
    this.bytes += batch.length + LOADED_ENTRY_BYTES
  }

  /** Takes the earliest out. */
  drop(): void {
    const entry = this.heap.peek()!
    this.heap.pop()
    entry.slot.loaded--
    this.bytes -= entry.batch.length + LOADED_ENTRY_BYTES
  }

  /** Loads some of the slot, once the one that is being read is done. @returns whether to go on at once. @throws what `LogStore.read` throws */
  prepare(slot: Slot): boolean {
    if (this.#pass === undefined) {
      if (slot.loaded > 0 || this.#isFull(slot)) return false
      this.#pass = this.#begin(slot)
    }
    const pass = this.#pass
    let bytes = 0
    while (bytes < SHARE_BYTES_MAX) {
      const batch = pass.reader.next()
      if (batch === 'wait') return false
      if (batch === 'end' || (pass.isOneMs && pass.bytes >= this.#bytesMax)) {
        this.#pass = this.#end(pass, batch === 'end')
        return true
      }
      bytes += batch.bytes.length
      readEntries(batch.bytes, (entry) => this.#see(pass, entry))
      pass.reader.passed(batch)
    }
    return true
  }

  /** Gives up the slot that is being read. */
  abandon(): void {
    this.#pass?.reader.close()
    this.#pass = undefined
  }

  /** Whether to wait until some of what is in memory is published. What is due later than the slot is not, before the slot is loaded. */
  #isFull(slot: Slot): boolean {
    return this.bytes > this.#bytesMax / 2 && this.heap.peek()!.dueMs < slot.loadedBelowMs
  }

  #begin(slot: Slot): Pass {
    const reader = new SlotReader(this.#shard, slot, this.#onReady)
    const isTooLarge = this.#shard.store.bounds(slot.log).bytes > this.#bytesMax
    if (!isTooLarge) return { reader, kind: 'take', untilMs: slot.endMs, isOneMs: false, bytes: 0, bytesAtMs: NOT_MEASURED }
    const bytesAtMs = new Float64Array(slot.endMs - slot.startMs)
    return { reader, kind: 'measure', untilMs: slot.endMs, isOneMs: false, bytes: 0, bytesAtMs }
  }

  #see(pass: Pass, entry: Entry): void {
    const { slot } = pass.reader
    if (entry.dueMs < slot.loadedBelowMs || entry.dueMs >= pass.untilMs) return
    if (this.#ids.count(entry.id, entry.id + entry.messages - 1) === 0) return
    const bytes = entry.batch.length + LOADED_ENTRY_BYTES
    if (pass.kind === 'measure') pass.bytesAtMs[entry.dueMs - slot.startMs]! += bytes
    else {
      pass.bytes += bytes
      this.take(slot, entry)
    }
  }

  /** @returns the pass that follows */
  #end(pass: Pass, isAtEnd: boolean): Pass | undefined {
    pass.reader.close()
    const { slot } = pass.reader
    if (pass.kind === 'take') {
      // Of a millisecond that was too much the rest is read when this portion is published.
      if (isAtEnd) slot.loadedBelowMs = pass.untilMs
      return undefined
    }
    const reader = new SlotReader(this.#shard, slot, this.#onReady)
    let untilMs = slot.loadedBelowMs
    let bytes = 0
    for (; untilMs < slot.endMs; untilMs++) {
      const more = pass.bytesAtMs[untilMs - slot.startMs]!
      if (bytes > 0 && bytes + more > this.#bytesMax) break
      bytes += more
    }
    return { reader, kind: 'take', untilMs, isOneMs: bytes > this.#bytesMax, bytes: 0, bytesAtMs: NOT_MEASURED }
  }
}
