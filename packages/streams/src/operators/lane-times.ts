import type { Undoable, UndoLog } from '../state/undo-log.ts'

/** How far event time has come in a lane, by operator. Kept with the lane's progress. */
export class LaneTimes implements Undoable {
  readonly #times: Map<string, number>
  readonly #undo: UndoLog

  constructor(times: Readonly<Record<string, number>>, undo: UndoLog) {
    this.#times = new Map(Object.entries(times))
    this.#undo = undo
  }

  /** Before the first record: minus infinity. */
  of(operator: string): number {
    return this.#times.get(operator) ?? -Infinity
  }

  /** Time never goes back. @returns what it is now */
  advance(operator: string, toMs: number): number {
    const before = this.#times.get(operator)
    if (before !== undefined && toMs <= before) return before
    this.#undo.add(this, operator, before)
    this.#times.set(operator, toMs)
    return toMs
  }

  undo(operator: unknown, before: unknown): void {
    if (before === undefined) this.#times.delete(operator as string)
    else this.#times.set(operator as string, before as number)
  }

  toJSON(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#times)
  }
}
