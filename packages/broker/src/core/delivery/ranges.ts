/**
 * What a message that is neither acked nor still waiting for its first delivery can be. Runs of neighbours in the same
 * condition share one object.
 */
import type { OwnRetry } from './own-retry.ts'
import type { OffsetRange } from './range-map.ts'

/** Why a message goes to the dead letters. Numbers are stored: never reuse one. */
export const DEATHS = ['max-attempts', 'rejected', 'lease-expired', 'expired', 'overflow'] as const
export type Death = (typeof DEATHS)[number]

/** With a consumer. There may be a million of them, so what deliveries have in common is in their lease. */
export class HeldRange<Holder, Origin> implements OffsetRange {
  first: number
  last: number
  readonly lease: Lease<Holder, Origin>
  /** What its messages say themselves; read again with each delivery. */
  readonly retry: OwnRetry | undefined

  constructor(first: number, last: number, lease: Lease<Holder, Origin>, retry: OwnRetry | undefined) {
    this.first = first
    this.last = last
    this.lease = lease
    this.retry = retry
  }
}

/** Deliveries to one consumer that end together. Linked into the consumer's list, which is in order of deadlines. */
export class Lease<Holder, Origin> {
  /** All of its ranges are within these, and maybe such of other leases. */
  first: number
  last: number
  /** Messages that are still held. */
  messages = 0
  /** The range that was added last, if it is there. */
  newest: HeldRange<Holder, Origin> | undefined = undefined
  /** Number of the delivery under way, from 1. */
  readonly attempt: number
  readonly holder: Holder
  readonly origin: Origin
  /** Monotonic clock. */
  readonly deadlineMs: number
  previous: Lease<Holder, Origin> | undefined = undefined
  next: Lease<Holder, Origin> | undefined = undefined

  constructor(first: number, attempt: number, deadlineMs: number, holder: Holder, origin: Origin) {
    this.first = first
    this.last = first - 1
    this.attempt = attempt
    this.deadlineMs = deadlineMs
    this.holder = holder
    this.origin = origin
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
