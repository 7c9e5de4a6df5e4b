import type { LogId } from './log-store.ts'
import type { RangeSet } from './range-set.ts'
import type { RunList } from './run-list.ts'

/** All that is known of one log. There may be a million of them: what only some logs need is allocated when they do. */
export class LogState {
  readonly id: LogId
  /** Committed bounds. */
  start = 0
  end = 0
  /** The next offset to give out: `end` and what is in commits that are not durable yet. */
  next: number
  /** Bytes of the stored batches that are not forgotten; in proportion where an entry or run is forgotten in part. */
  bytes = 0

  /** Entries that are not sealed: a region of the pool (-1: none), the first used entry in it, and how many. */
  tailHandle = -1
  tailClass = 0
  tailFirst = 0
  tailCount = 0

  runs: RunList | undefined = undefined
  /** No sealed run reaches beyond it; all entries of the tail begin at or after it. */
  sealedEnd = 0
  /** Discarded ranges at or above `start`. */
  holes: RangeSet | undefined = undefined

  /** Its creation is committed. */
  isCommitted = false
  /** Its deletion is in a commit that is not durable yet. */
  isDeleted = false
  isQueuedForSealing = false
  /** Ticket of the last commit that moves or seals its entries: nobody else may until that is durable. */
  busyUntil = 0

  /** Its records in the open commit, as a list of rows; `openLast` is valid while `openTicket` is that commit's. */
  openTicket = 0
  openLast = 0

  constructor(id: LogId, end: number) {
    this.id = id
    this.end = end
    this.next = end
  }

  /** How many offsets of [first, end) are trimmed or discarded. */
  deadOffsets(first: number, end: number): number {
    if (this.start >= end) return end - first
    const from = Math.max(first, this.start)
    return from - first + (this.holes === undefined ? 0 : this.holes.covered(from, end))
  }
}

/** Whether all of [base, end) is trimmed or discarded. */
export function isDead(log: LogState, base: number, end: number): boolean {
  if (base >= log.start && log.holes === undefined) return false
  return log.deadOffsets(base, end) === end - base
}
