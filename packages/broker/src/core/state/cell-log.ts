/** Keeps cells in a log of their own: what changed goes into the commit in which it changed. */
import type { Crc32c } from '../../ports/checksum.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import type { CommitCycle, CommitMember } from '../commit-cycle.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import type { RecoveredCells } from './read-cell-log.ts'
import { StateCell, StateLog } from './state-log.ts'

/** A cell that is all there is of its entity, and knows what of it was not written yet. */
export abstract class LoggedCell extends StateCell {
  constructor(entity: number) {
    super(entity, 0)
  }

  /** Whether changes are left that no delta holds. */
  abstract get isChanged(): boolean

  /** Writes changes, until a record is full. What it wrote is no change any more. */
  abstract writeDelta(out: ByteWriter): void

  /** What was changed is in a snapshot. */
  abstract changesWritten(): void

  /** @throws StateFormatError */
  abstract applyDelta(from: ByteReader): void
}

/** Where the log is written. */
export interface CellLogHome {
  readonly store: LogStore
  readonly crc32c: Crc32c
  readonly cycle: CommitCycle
}

export class CellLog<C extends LoggedCell> implements CommitMember {
  gathered = false
  readonly #home: CellLogHome
  readonly #bytesFloor: number
  readonly #onCreated: (log: LogId) => void
  #stateLog: StateLog | undefined
  #nextEntity = 1
  readonly #changed = new Set<C>()

  /**
   * @param bytesFloor see `StateLog`
   * @param onCreated the log, which is made for the first cell, is there from now on: its id is to be kept in the open commit
   */
  constructor(home: CellLogHome, bytesFloor: number, onCreated: (log: LogId) => void) {
    this.#home = home
    this.#bytesFloor = bytesFloor
    this.#onCreated = onCreated
  }

  /** Takes over what a restart found. */
  restore({ log, cells, highestEntity }: RecoveredCells<C>): void {
    this.#open(log).adopt(cells)
    this.#nextEntity = highestEntity + 1
  }

  newEntity(): number {
    return this.#nextEntity++
  }

  /** A cell that is new, or to be written whole. @param bytes about what that adds to the commit */
  snapshot(cell: C, bytes: number): void {
    this.#ensure().snapshot(cell)
    this.changed(cell, bytes)
  }

  /** A cell that was written whole before. @param bytes about what the change adds to the commit */
  changed(cell: C, bytes: number): void {
    this.#changed.add(cell)
    const { cycle } = this.#home
    cycle.gatheredBytes += bytes
    cycle.gather(this)
  }

  remove(cell: C): void {
    this.#changed.delete(cell)
    this.#ensure().remove(cell.entity, [cell])
    this.#home.cycle.gather(this)
  }

  // ---- CommitMember -----------------------------------------------------------------------------------------------------

  closing(): number {
    this.#writeChanges()
    this.#stateLog?.close()
    return 0
  }

  committed(): void {}

  writeEarly(): void {
    this.#writeChanges()
    this.#stateLog?.writeEarly()
  }

  // ---- inside -----------------------------------------------------------------------------------------------------------

  #writeChanges(): void {
    for (const cell of this.#changed) {
      if (cell.snapshotDue) cell.changesWritten()
      else this.#writeDeltas(cell)
    }
    this.#changed.clear()
  }

  #writeDeltas(cell: C): void {
    const stateLog = this.#ensure()
    do stateLog.delta(cell, (out) => cell.writeDelta(out))
    while (cell.isChanged)
  }

  #ensure(): StateLog {
    if (this.#stateLog !== undefined) return this.#stateLog
    const log = this.#home.store.createLog()
    this.#onCreated(log)
    return this.#open(log)
  }

  #open(log: LogId): StateLog {
    const { store, crc32c } = this.#home
    this.#stateLog = new StateLog(store, log, crc32c, this.#bytesFloor)
    return this.#stateLog
  }
}
