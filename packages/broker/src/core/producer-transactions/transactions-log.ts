/** Keeps transactional producers in a log of their own: what changed goes into the commit in which it changed. */
import type { LogId } from '../../storage/log-store.ts'
import type { CommitMember } from '../commit-cycle.ts'
import type { Shard } from '../shard.ts'
import type { RecoveredCells } from '../state/read-cell-log.ts'
import { StateLog } from '../state/state-log.ts'
import { CHANGE_BYTES, TRANSACTIONS_LOG_BYTES_FLOOR } from './limits.ts'
import type { TransactionCell } from './transaction-cell.ts'

export class TransactionsLog implements CommitMember {
  gathered = false
  readonly #shard: Shard
  readonly #onCreated: (log: LogId) => void
  #stateLog: StateLog | undefined
  #nextEntity = 1
  readonly #changed = new Set<TransactionCell>()

  /** @param onCreated the log is there from now on: its id is to be kept in the open commit */
  constructor(shard: Shard, onCreated: (log: LogId) => void) {
    this.#shard = shard
    this.#onCreated = onCreated
  }

  restore({ log, cells, highestEntity }: RecoveredCells<TransactionCell>): void {
    this.#open(log).adopt(cells)
    this.#nextEntity = highestEntity + 1
  }

  newEntity(): number {
    return this.#nextEntity++
  }

  /** A new cell, which is written whole. */
  add(cell: TransactionCell): void {
    this.#ensure().snapshot(cell)
    this.changed(cell, 3 * cell.transactionalId.length)
  }

  /** @param bytes that the change takes beside an ordinary one */
  changed(cell: TransactionCell, bytes: number): void {
    this.#changed.add(cell)
    this.#shard.cycle.gatheredBytes += CHANGE_BYTES + bytes
    this.#shard.cycle.gather(this)
  }

  remove(cell: TransactionCell): void {
    this.#changed.delete(cell)
    this.#ensure().remove(cell.entity, [cell])
    this.#shard.cycle.gather(this)
  }

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

  #writeChanges(): void {
    for (const cell of this.#changed) {
      this.#stateLog!.delta(cell, (out) => cell.writeDelta(out))
      cell.changesWritten()
    }
    this.#changed.clear()
  }

  #ensure(): StateLog {
    if (this.#stateLog !== undefined) return this.#stateLog
    const log = this.#shard.store.createLog()
    this.#onCreated(log)
    return this.#open(log)
  }

  #open(log: LogId): StateLog {
    this.#stateLog = new StateLog(this.#shard.store, log, this.#shard.crc32c, TRANSACTIONS_LOG_BYTES_FLOOR)
    return this.#stateLog
  }
}
