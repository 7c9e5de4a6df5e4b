/** The slots that hold something, and which of them a due time belongs to. */
import type { LogId } from '../../storage/log-store.ts'
import type { ScheduleHome } from './schedule-home.ts'
import type { ScheduleCell } from './schedule-cell.ts'
import type { SlotRecord } from './schedule-state.ts'
import { LEVELS, aheadMs, nearEndMs, slotIndex, slotStartMs } from './slot-times.ts'

/** A stretch of time and the log with the batches that are due in it. Within one due time the log is in publish order. */
export class Slot implements SlotRecord {
  readonly level: number
  readonly index: number
  readonly log: LogId
  readonly startMs: number
  readonly endMs: number
  /** One past the last entry, committed or not. */
  end: number
  /** Entries that are due before this are, or were, in memory. Slots of other levels are loaded only when all of it is due. */
  loadedBelowMs: number
  /** How many are. */
  loaded = 0

  constructor(record: SlotRecord, end: number) {
    this.level = record.level
    this.index = record.index
    this.log = record.log
    this.startMs = slotStartMs(record.level, record.index)
    this.endMs = slotStartMs(record.level, record.index + 1)
    this.end = end
    this.loadedBelowMs = this.startMs
  }

  get isLoaded(): boolean {
    return this.loadedBelowMs >= this.endMs
  }
}

export class Slots {
  readonly #shard: ScheduleHome
  readonly #cell: ScheduleCell
  readonly #levels: Map<number, Slot>[] = Array.from({ length: LEVELS }, () => new Map())
  /** The earliest of each level. */
  readonly #first: (Slot | undefined)[] = Array.from({ length: LEVELS }, () => undefined)

  constructor(shard: ScheduleHome, cell: ScheduleCell) {
    this.#shard = shard
    this.#cell = cell
  }

  restore(record: SlotRecord): void {
    this.#add(new Slot(record, this.#shard.store.bounds(record.log).end))
  }

  get size(): number {
    return this.#levels.reduce((size, level) => size + level.size, 0)
  }

  /** One that is published as a whole, if there is one. */
  done(nowMs: number): Slot | undefined {
    return this.#first.find((slot) => slot !== undefined && slot.isLoaded && slot.loaded === 0 && slot.endMs <= nowMs)
  }

  /**
   * The slot that is to be split or loaded next, when that is near. In order of time, the coarser first: so a long standstill is worked
   * off in order and without making all the fine slots of that time at once.
   */
  toPrepare(nowMs: number): Slot | undefined {
    let next: Slot | undefined
    for (let level = LEVELS - 1; level >= 0; level--) {
      const slot = this.#firstToPrepare(level)
      if (slot === undefined || slot.startMs > nowMs + aheadMs(level)) continue
      if (next === undefined || slot.startMs < next.startMs) next = slot
    }
    return next
  }

  /** When something is to be done next that cannot be done yet: wall clock, or Infinity. */
  nextMs(nowMs: number): number {
    let nextMs = Infinity
    for (let level = LEVELS - 1; level >= 0; level--) {
      const slot = this.#firstToPrepare(level)
      const atMs = slot === undefined ? Infinity : slot.startMs - aheadMs(level)
      if (atMs > nowMs) nextMs = Math.min(nextMs, atMs)
    }
    const first = this.#first[0]
    if (first !== undefined && first.endMs > nowMs) nextMs = Math.min(nextMs, first.endMs)
    return nextMs
  }

  /**
   * The slot for a due time: of the finest level that is there yet for that time. While a slot is split, it still takes what is
   * published, so that nothing overtakes what waits in it.
   */
  place(dueMs: number, nowMs: number): Slot {
    let level = LEVELS - 1
    for (; level > 0; level--) {
      const first = this.#firstToPrepare(level)
      const splitBelowMs = Math.min(nearEndMs(level, nowMs), first?.startMs ?? Infinity)
      if (dueMs >= splitBelowMs) break
    }
    return this.at(level, slotIndex(level, dueMs))
  }

  /** Makes it if there is none: room for that was reserved. */
  at(level: number, index: number): Slot {
    const existing = this.#levels[level]!.get(index)
    if (existing !== undefined) return existing
    const slot = new Slot({ level, index, log: this.#shard.store.createLog() }, 0)
    this.#add(slot)
    this.#cell.slotMade(slot)
    return slot
  }

  /** All of it is published or moved. */
  remove(slot: Slot): void {
    this.leave(slot)
    this.#cell.slotGone(slot)
    this.#shard.store.deleteLog(slot.log)
  }

  /** Leaves it alone until the next start. */
  leave(slot: Slot): void {
    const level = this.#levels[slot.level]!
    level.delete(slot.index)
    let first: Slot | undefined
    for (const other of level.values()) if (first === undefined || other.index < first.index) first = other
    this.#first[slot.level] = first
  }

  #firstToPrepare(level: number): Slot | undefined {
    if (this.#first[level]?.isLoaded !== true) return this.#first[level]
    let first: Slot | undefined
    for (const slot of this.#levels[level]!.values())
      if (!slot.isLoaded && (first === undefined || slot.index < first.index)) first = slot
    return first
  }

  #add(slot: Slot): void {
    this.#levels[slot.level]!.set(slot.index, slot)
    const first = this.#first[slot.level]
    if (first === undefined || slot.index < first.index) this.#first[slot.level] = slot
  }
}
