import type { LogStore } from '../../storage/log-store.ts'
import type { LogTail } from '../log-tail.ts'

/** Settled messages behind one that is not, after which their space is given back. */
const DISCARD_AFTER = 1024
/** Shorter runs are not worth a discard: space returns by whole batches. */
const DISCARD_RUN_MIN = 32
const DISCARD_RUNS_MAX = 1024

/** What is not settled, as far as space is concerned. */
export interface Unsettled {
  /** Nothing from here on was delivered. */
  readonly position: number
  /** The lowest offset that is not settled. */
  floor(): number
  /** The first run that ends at or after `offset`. */
  outstandingFrom(offset: number): { readonly first: number; readonly last: number } | undefined
  /** The last offset below `offset` that is in a run which begins below it, or -1. */
  lastOutstandingBefore(offset: number): number
}

/** Gives the space of a queue's settled messages back: below the lowest that is not settled at once, behind it now and then. */
export class SettledSpace {
  readonly #store: LogStore
  readonly #log: LogTail
  /** Settled since the last discard: how many, and between which offsets. */
  #settled = 0
  #first = Infinity
  #last = -1

  constructor(store: LogStore, log: LogTail) {
    this.#store = store
    this.#log = log
  }

  settled(first: number, last: number): void {
    this.#settled += last - first + 1
    if (first < this.#first) this.#first = first
    if (last > this.#last) this.#last = last
  }

  /** Called while a commit closes that records what was settled. */
  giveBack(unsettled: Unsettled): void {
    const floor = unsettled.floor()
    if (floor > this.#log.start) {
      this.#store.trim(this.#log.id, floor)
      this.#log.start = floor
    }
    if (floor >= unsettled.position) this.#clear()
    else if (this.#settled >= DISCARD_AFTER) this.#discardRuns(unsettled, floor)
  }

  #discardRuns(unsettled: Unsettled, floor: number): void {
    const stop = this.#last
    let at = Math.max(this.#first, floor)
    this.#clear()
    for (let runs = 0; at <= stop; runs++) {
      if (runs === DISCARD_RUNS_MAX) {
        this.#first = at
        this.#last = stop
        return
      }
      const first = unsettled.lastOutstandingBefore(at) + 1
      const next = unsettled.outstandingFrom(at)
      const last = Math.min(next?.first ?? unsettled.position, unsettled.position) - 1
      if (last - first + 1 >= DISCARD_RUN_MIN) this.#store.discard(this.#log.id, first, last)
      if (next === undefined) return
      at = next.last + 1
    }
  }

  #clear(): void {
    this.#settled = 0
    this.#first = Infinity
    this.#last = -1
  }
}
