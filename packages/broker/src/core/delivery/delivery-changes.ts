import { type DeliveryCounters, newCounters } from './delivery-state.ts'
import type { DelayedRange, DoomedRange } from './ranges.ts'

const NO_MARK = -1

/** What happened to one cursor since the last commit closed: the content of its next delta. Reused from commit to commit. */
export class DeliveryChanges {
  /** The new mark, or NO_MARK. */
  mark: number = NO_MARK
  /** Where the mark goes back to before it moves on, or NO_MARK: what lies from there on was not delivered. */
  rewind: number = NO_MARK
  /** Pairs: first, last. */
  readonly settled: number[] = []
  /** Triples: first, last, attempts. */
  readonly attempts: number[] = []
  readonly delayed: DelayedRange[] = []
  /** As they were doomed; those that were moved meanwhile are in `settled` too. */
  readonly doomed: DoomedRange[] = []
  readonly counters: DeliveryCounters = newCounters()

  get hasMark(): boolean {
    return this.mark !== NO_MARK
  }

  get hasRewind(): boolean {
    return this.rewind !== NO_MARK
  }

  settle(first: number, last: number): void {
    const settled = this.settled
    const end = settled.length - 1
    if (end > 0 && settled[end] === first - 1) settled[end] = last
    else settled.push(first, last)
  }

  setAttempts(first: number, last: number, attempts: number): void {
    this.attempts.push(first, last, attempts)
  }

  clear(): void {
    this.mark = NO_MARK
    this.rewind = NO_MARK
    if (this.settled.length > 0) this.settled.length = 0
    if (this.attempts.length > 0) this.attempts.length = 0
    if (this.delayed.length > 0) this.delayed.length = 0
    if (this.doomed.length > 0) this.doomed.length = 0
    const counters = this.counters
    counters.delivered = 0
    counters.redelivered = 0
    counters.acked = 0
    counters.deadLettered = 0
    counters.dropped = 0
  }
}
