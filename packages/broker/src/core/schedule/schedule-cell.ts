/** Keeps the schedule's state in the state log: what changed goes into the commit in which it changed. */
import type { CommitCycle, CommitMember } from '../commit-cycle.ts'
import { BROKER_ENTITY, SCHEDULE_PART } from '../broker-identity.ts'
import type { ByteWriter } from '../state/bytes.ts'
import { StateCell, type StateLog } from '../state/state-log.ts'
import { ScheduleChanges, type ScheduleState, type SlotRecord, writeDelta, writeSnapshotPart } from './schedule-state.ts'

/** What a change adds to a delta, about. */
const CHANGE_BYTES = 16

/** Where the cell writes. */
export interface CellHome {
  readonly cycle: CommitCycle
  readonly stateLog: StateLog
}

export class ScheduleCell extends StateCell implements CommitMember {
  gathered = false
  readonly #home: CellHome
  readonly #state: ScheduleState
  readonly #changes = new ScheduleChanges()

  constructor(home: CellHome, state: ScheduleState) {
    super(BROKER_ENTITY, SCHEDULE_PART)
    this.#home = home
    this.#state = state
  }

  // ---- changes: in the open commit ------------------------------------------------------------------------------------

  /** @returns the first of `count` ids in a row */
  give(entity: number, count: number): number {
    this.#changed()
    return this.#state.ids.allocate(entity, count, (block) => this.#changes.given.add(block))
  }

  /** @returns how many of `first..last` were pending */
  remove(first: number, last: number): number {
    const removed = this.#state.ids.remove(first, last)
    if (removed === 0) return 0
    this.#changed()
    this.#changes.remove(first, last)
    return removed
  }

  /** @returns how many messages were pending for it */
  removeTarget(entity: number): number {
    if (!this.#state.ids.targets.has(entity)) return 0
    this.#changed()
    this.#changes.targetsGone.push(entity)
    return this.#state.ids.removeTarget(entity)
  }

  slotMade(slot: SlotRecord): void {
    this.#changed()
    this.#state.slots.set(slot.log, slot)
    this.#changes.slots.push({ slot, gone: false })
  }

  slotGone(slot: SlotRecord): void {
    this.#changed()
    this.#state.slots.delete(slot.log)
    this.#changes.slots.push({ slot, gone: true })
  }

  // ---- commits ----------------------------------------------------------------------------------------------------------

  closing(): number {
    this.writeEarly()
    return 0
  }

  writeEarly(): void {
    this.#home.stateLog.delta(this, (out) => writeDelta(out, this.#changes))
    this.#changes.clear()
  }

  committed(): void {}

  writeSnapshot(out: ByteWriter, start: number): number | undefined {
    return writeSnapshotPart(out, this.#state, start)
  }

  #changed(): void {
    const { cycle } = this.#home
    cycle.gather(this)
    cycle.gatheredBytes += CHANGE_BYTES
  }
}
