import type { Backoff } from '@millrace/wire'
import type { MillraceError } from '../../base/errors.ts'
import type { DeliveryPolicy } from '../broker.ts'
import type { Cursor } from './cursor.ts'
import type { HeldRange, Lease } from './ranges.ts'

/** Who holds messages of cursors. */
export interface Holder {
  /** The lease that ends last. */
  readonly newest: HeldLease | undefined
  /** Messages it holds. Kept by the cursors. */
  holding: number
  /** Adds a lease to the holder's list, which is in order of deadlines. */
  link(lease: HeldLease): void
  unlink(lease: HeldLease): void
}

export type Held = HeldRange<Holder, Cursor>
export type HeldLease = Lease<Holder, Cursor>

/** The queue or subscription that a cursor belongs to. */
export interface CursorOwner {
  readonly address: string
  /** Whether settled records are removed from the log. */
  readonly trimsLog: boolean
  /** When something was last published to it, delivered or settled, monotonic. Kept by those who do it. */
  lastActiveMs: number
  readonly maxAttempts: number
  /** Where dead letters go. */
  readonly deadLetter: string | undefined
  readonly deadLetterForm: Pick<DeliveryPolicy, 'deadLetterContent' | 'deadLetterHeaders'>
  /** Messages older than this are not delivered any more. */
  readonly ttlMs: number | undefined
  /** Whether what is not delivered as soon as it could be expires. */
  readonly isFleeting: boolean
  readonly backoff: Backoff | undefined
  readonly order: 'none' | 'key' | 'strict'
  /** Selector of the messages that are delivered; the others are done. */
  readonly filter: string | undefined
  /** Whether some consumer has credit. */
  readonly hasCredit: boolean
  /** About how many messages the consumers would take now. */
  credit(): number
  /** There may be something to deliver. */
  activate(cursor: Cursor): void
  /** There is something to move to the dead letters. */
  doomed(cursor: Cursor): void
  /** Its records cannot be read. */
  failed(error: MillraceError): void
}
