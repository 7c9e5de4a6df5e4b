/** What the state log says of the schedule: pending ids and slots. Bytes: docs/formats/schedule.md. */
import type { LogId } from '../../storage/log-store.ts'
import { type ByteReader, type ByteWriter, StateFormatError } from '../state/bytes.ts'
import { BLOCK_IDS, IdBlock } from './id-block.ts'
import { type OwnedBlock, PendingIds } from './pending-ids.ts'
import { LEVELS } from './slot-times.ts'

const SLOT_MADE = 1
const SLOT_GONE = 2
const GIVEN = 3
const REMOVED = 4
const TARGET_GONE = 5

const FIRST_PART = 1
const FINAL_PART = 2
/** A snapshot is cut into parts of about this size. */
const PART_BYTES = 48 * 1024

export interface SlotRecord {
  readonly level: number
  readonly index: number
  readonly log: LogId
}

export class ScheduleState {
  readonly ids: PendingIds = new PendingIds()
  /** By log. */
  readonly slots: Map<LogId, SlotRecord> = new Map()
}

/** What changed since the last delta. */
export class ScheduleChanges {
  /** Made (`gone` false) and given up, in that order for one log. */
  readonly slots: { readonly slot: SlotRecord; readonly gone: boolean }[] = []
  readonly given: Set<OwnedBlock> = new Set()
  /** first, last, first, last, ... */
  readonly removed: number[] = []
  readonly targetsGone: number[] = []

  /** All of `first..last` were given out before. */
  remove(first: number, last: number): void {
    const { removed } = this
    if (removed.length > 0 && removed[removed.length - 1] === first - 1) removed[removed.length - 1] = last
    else removed.push(first, last)
  }

  clear(): void {
    this.slots.length = 0
    this.given.clear()
    this.removed.length = 0
    this.targetsGone.length = 0
  }
}

// ---- deltas ---------------------------------------------------------------------------------------------------------

export function writeDelta(out: ByteWriter, changes: ScheduleChanges): void {
  for (const { slot, gone } of changes.slots) {
    out.byte(gone ? SLOT_GONE : SLOT_MADE)
    if (gone) out.varint(slot.log)
    else writeSlot(out, slot)
  }
  for (const { ids, owner } of changes.given) {
    out.byte(GIVEN)
    out.varint(ids.number)
    out.varint(owner.entity)
    out.varint(ids.used)
  }
  const { removed } = changes
  if (removed.length > 0) {
    out.byte(REMOVED)
    out.varint(removed.length / 2)
    let end = 0
    for (let n = 0; n < removed.length; n += 2) {
      out.signed(removed[n]! - end)
      out.varint(removed[n + 1]! - removed[n]!)
      end = removed[n + 1]!
    }
  }
  for (const entity of changes.targetsGone) {
    out.byte(TARGET_GONE)
    out.varint(entity)
  }
}

/** @throws StateFormatError */
export function applyDelta(state: ScheduleState, from: ByteReader): void {
  while (from.left > 0) {
    const tag = from.byte()
    switch (tag) {
      case SLOT_MADE:
        readSlot(state, from)
        break
      case SLOT_GONE:
        state.slots.delete(from.varint())
        break
      case GIVEN: {
        const number = from.varint()
        const entity = from.varint()
        const used = from.varint()
        if (used > BLOCK_IDS) throw new StateFormatError(`a block of ${used} schedule ids is too large`)
        state.ids.extend(number, entity, used)
        break
      }
      case REMOVED: {
        let end = 0
        for (let left = from.varint(); left > 0; left--) {
          const first = end + from.signed()
          end = first + from.varint()
          state.ids.remove(first, end)
        }
        break
      }
      case TARGET_GONE:
        state.ids.removeTarget(from.varint())
        break
      default:
        throw new StateFormatError(`unknown tag ${tag} in a delta of the schedule`)
    }
  }
}

function writeSlot(out: ByteWriter, slot: SlotRecord): void {
  out.varint(slot.level)
  out.varint(slot.index)
  out.varint(slot.log)
}

function readSlot(state: ScheduleState, from: ByteReader): void {
  const slot = { level: from.varint(), index: from.varint(), log: from.varint() }
  if (slot.level >= LEVELS) throw new StateFormatError(`a slot of the schedule has level ${slot.level}`)
  state.slots.set(slot.log, slot)
}

// ---- snapshots ------------------------------------------------------------------------------------------------------

/** Writes the blocks from number `start` on, until the part is full. @returns where the next part starts */
export function writeSnapshotPart(out: ByteWriter, state: ScheduleState, start: number): number | undefined {
  const part: OwnedBlock[] = []
  let bytes = 0
  let next: number | undefined
  for (const block of state.ids.blocks) {
    if (block.ids.number < start) continue
    if (bytes >= PART_BYTES) {
      next = block.ids.number
      break
    }
    part.push(block)
    bytes += 16 + block.ids.bytesMax
  }
  out.byte((start === 0 ? FIRST_PART : 0) + (next === undefined ? FINAL_PART : 0))
  if (start === 0) {
    out.varint(state.ids.nextBlock)
    out.varint(state.slots.size)
    for (const slot of state.slots.values()) writeSlot(out, slot)
  }
  out.varint(start)
  out.varint(next ?? state.ids.nextBlock)
  out.varint(part.length)
  for (const { ids, owner } of part) {
    out.varint(ids.number)
    out.varint(owner.entity)
    ids.write(out)
  }
  return next
}

export function isFirstPart(value: Uint8Array): boolean {
  return (value[0]! & FIRST_PART) !== 0
}

/** @returns whether it was the final part. @throws StateFormatError */
export function applySnapshotPart(state: ScheduleState, from: ByteReader): boolean {
  const flags = from.byte()
  if ((flags & FIRST_PART) !== 0) {
    state.ids.nextBlock = Math.max(state.ids.nextBlock, from.varint())
    state.slots.clear()
    for (let left = from.varint(); left > 0; left--) readSlot(state, from)
  }
  const start = from.varint()
  const end = from.varint()
  for (const block of state.ids.blocks) {
    if (block.ids.number >= start && (block.ids.number < end || (flags & FINAL_PART) !== 0)) state.ids.drop(block)
  }
  for (let left = from.varint(); left > 0; left--) {
    const number = from.varint()
    const entity = from.varint()
    state.ids.add(entity, IdBlock.read(number, from))
  }
  state.ids.sort()
  return (flags & FINAL_PART) !== 0
}
