/**
 * What a message that is neither acked nor still waiting for its first delivery can be. Runs of neighbours in the same
 * condition share one object.
 */
import type { RetryPolicy } from '@millrace/wire'
import type { OffsetRange } from './range-map.ts'

/** Why a message goes to the dead letters. Numbers are stored: never reuse one. */
export const DEATHS = ['max-attempts', 'rejected', 'lease-expired', 'expired', 'overflow'] as const
export type Death = (typeof DEATHS)[number]

/** With a consumer. Linked into the consumer's list, which is in order of deadlines. */
export class HeldRange<Holder, Origin> implements OffsetRange {
  first: number
  last: number
  /** Number of the delivery under way, from 1. */
  readonly attempt: number
  readonly holder: Holder
  readonly origin: Origin
  /** Of the messages themselves; read again with each delivery. */
  readonly retry: RetryPolicy | undefined
  /** Monotonic clock. */
  deadlineMs: number
  previous: HeldRange<Holder, Origin> | undefined = undefined
  next: HeldRange<Holder, Origin> | undefined = undefined

  constructor(
    first: number,
    last: number,
    attempt: number,
    deadlineMs: number,
    holder: Holder,
    origin: Origin,
    retry: RetryPolicy | undefined,
  ) {
    this.first = first
    this.last = last
    this.attempt = attempt
    this.deadlineMs = deadlineMs
    this.holder = holder
    this.origin = origin
    this.retry = retry
  }
}

/** Was delivered before and waits to be delivered again. */
export class ReturnedRange implements OffsetRange {
  first: number
  last: number
  /** Deliveries that were made. */
  readonly attempts: number
  /** The commit that records the next delivery; NOT_RECORDED before there is one. */
  recordedIn: number

  constructor(first: number, last: number, attempts: number, recordedIn: number = NOT_RECORDED) {
    this.first = first
    this.last = last
    this.attempts = attempts
    this.recordedIn = recordedIn
  }
}

export const NOT_RECORDED = 0
/** In a commit that was durable long ago. */
export const RECORDED = 1

/** Was handed back with a delay. */
export class DelayedRange implements OffsetRange {
  first: number
  last: number
  readonly attempts: number
  /** Wall clock. */
  readonly dueMs: number

  constructor(first: number, last: number, attempts: number, dueMs: number) {
    this.first = first
    this.last = last
    this.attempts = attempts
    this.dueMs = dueMs
  }
}

/** Waits for its move to the dead letters. */
export class DoomedRange implements OffsetRange {
  first: number
  last: number
  readonly attempts: number
  readonly death: Death
  /** What the consumer said, or ''. */
  readonly error: string
  /** Cannot go anywhere for now, and must not be delivered either. Owned by `DeadLetters`. */
  parked = false

  constructor(first: number, last: number, attempts: number, death: Death, error: string) {
    this.first = first
    this.last = last
    this.attempts = attempts
    this.death = death
    this.error = error
  }
}
