// hot path (packages/broker/test/core/throughput.mjs)
import { Fifo } from '../fifo.ts'
import type { Cursor } from './cursor.ts'

/** Cursors that may have something to deliver, and which of them is next. They own `Cursor.active`. */
export interface ActiveCursors {
  readonly size: number
  add(cursor: Cursor): void
  /**
   * A cursor that is prepared to deliver, or undefined when there is none now.
   * @param among the partitions that count; undefined for all
   */
  next(among: ReadonlySet<number> | undefined): Cursor | undefined
  /** Whether what `next` did not find comes with a commit or read that is under way. */
  isAwaiting(among: ReadonlySet<number> | undefined): boolean
}

/** Partitions, one after the other. */
export class CursorsInTurn implements ActiveCursors {
  readonly #cursors = new Fifo<Cursor>()
  readonly #all: readonly Cursor[]

  /** @param all by partition */
  constructor(all: readonly Cursor[]) {
    this.#all = all
  }

  get size(): number {
    return this.#cursors.size
  }

  add(cursor: Cursor): void {
    if (cursor.active) return
    cursor.active = true
    this.#cursors.push(cursor)
  }

  next(among: ReadonlySet<number> | undefined): Cursor | undefined {
    let passed = 0
    for (let cursor = this.#cursors.peek(); cursor !== undefined; cursor = this.#cursors.peek()) {
      if (among !== undefined && !among.has(cursor.partition)) {
        if (passed++ === this.#cursors.size) return undefined
        this.#cursors.shift()
        this.#cursors.push(cursor)
        continue
      }
      if (cursor.prepare()) {
        if (this.#cursors.size > 1) {
          this.#cursors.shift()
          this.#cursors.push(cursor)
        }
        return cursor
      }
      this.#cursors.shift()
      cursor.active = false
    }
    return undefined
  }

  isAwaiting(among: ReadonlySet<number> | undefined): boolean {
    return this.#all.some(({ isOnItsWay, partition }) => isOnItsWay && among?.has(partition) !== false)
  }
}

/** Levels of priority: nothing of a lower one while a higher one has something, or will have it as soon as a commit or a read is done. */
export class CursorsHighestFirst implements ActiveCursors {
  size = 0
  readonly #cursors: readonly Cursor[]

  /** @param cursors all of them, lowest level first */
  constructor(cursors: readonly Cursor[]) {
    this.#cursors = cursors
    for (const cursor of cursors) if (cursor.active) this.size++
  }

  add(cursor: Cursor): void {
    if (cursor.active) return
    cursor.active = true
    this.size++
  }

  next(among: ReadonlySet<number> | undefined): Cursor | undefined {
    const cursors = this.#cursors
    for (let n = cursors.length - 1; n >= 0 && this.size > 0; n--) {
      const cursor = cursors[n]!
      if (!cursor.active || among?.has(cursor.partition) === false) continue
      if (cursor.prepare()) return cursor
      // It stays active: the end of what it waits for has the group look again.
      if (cursor.isComing) {
        this.#anticipate(n - 1)
        return undefined
      }
      // Not every commit tells it that its messages can be delivered now.
      if (cursor.log.end > cursor.position) continue
      cursor.active = false
      this.size--
    }
    return undefined
  }

  isAwaiting(among: ReadonlySet<number> | undefined): boolean {
    for (let n = this.#cursors.length - 1; n >= 0; n--) {
      const cursor = this.#cursors[n]!
      if (among?.has(cursor.partition) === false) continue
      // Nothing of a lower level goes before that.
      if (cursor.isComing) return cursor.isOnItsWay
    }
    return false
  }

  /** What the consumers get after that is recorded with the same commit, or each level would have to wait for one of its own. */
  #anticipate(from: number): void {
    const cursors = this.#cursors
    let credit = cursors[0]!.owner.credit()
    for (let n = from; n >= 0 && credit > 0; n--) if (cursors[n]!.active) credit -= cursors[n]!.anticipate()
  }
}
