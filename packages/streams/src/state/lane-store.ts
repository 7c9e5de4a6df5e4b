import type { StateStore } from './state-store.ts'
import { frozen } from './frozen.ts'
import type { Undoable, UndoLog } from './undo-log.ts'

/** Told of keys that come and go, to keep an index of them. */
export interface KeyIndex {
  added(key: string): void
  removed(key: string): void
}

/** The state of one operator for one partition: what is committed, and what the batch under way has changed. */
export class LaneStore implements Undoable {
  readonly name: string
  readonly #store: StateStore
  readonly #undo: UndoLog
  /** What the batch under way has changed: the committed value by key, undefined where there was none. */
  readonly #committed = new Map<string, unknown>()
  #index: KeyIndex | undefined

  constructor(name: string, store: StateStore, undo: UndoLog) {
    this.name = name
    this.#store = store
    this.#undo = undo
  }

  get size(): number {
    return this.#store.size
  }

  /** Tells the index of the keys that there are, and of what happens from now on. */
  indexBy(index: KeyIndex): void {
    this.#index = index
    for (const [key] of this.#store.entries()) index.added(key)
  }

  get(key: string): unknown {
    return this.#store.get(key)
  }

  /** @param value undefined: none */
  set(key: string, value: unknown): void {
    const before = this.#store.get(key)
    if (before === undefined && value === undefined) return
    if (!this.#committed.has(key)) this.#committed.set(key, before)
    this.#undo.add(this, key, before)
    this.#write(key, before, frozen(value))
  }

  undo(key: unknown, before: unknown): void {
    this.#write(key as string, this.#store.get(key as string), before)
  }

  /** As the changelog has it. */
  restore(key: string, value: unknown): void {
    if (value === undefined) this.#store.delete(key)
    else this.#store.set(key, frozen(value))
  }

  // ---- around commits -------------------------------------------------------------------------------------------------

  /** Keys that the batch under way has changed. Some may have their old value again. */
  changedKeys(): Iterable<string> {
    return this.#committed.keys()
  }

  committed(): void {
    this.#committed.clear()
  }

  close(): void {
    this.#store.close()
  }

  // ---- for queries: what is committed ---------------------------------------------------------------------------------

  committedValue(key: string): unknown {
    return this.#committed.has(key) ? this.#committed.get(key) : this.#store.get(key)
  }

  *committedEntries(): Generator<readonly [string, unknown]> {
    for (const entry of this.#store.entries()) if (!this.#committed.has(entry[0])) yield entry
    for (const [key, value] of this.#committed) if (value !== undefined) yield [key, value]
  }

  #write(key: string, before: unknown, value: unknown): void {
    if (value === undefined) {
      this.#store.delete(key)
      if (before !== undefined) this.#index?.removed(key)
    } else {
      this.#store.set(key, value)
      if (before === undefined) this.#index?.added(key)
    }
  }
}
