import { BATCH_HEADER_BYTES } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { QueueLimits } from '../broker.ts'
import type { CommitWaiter } from '../commit-cycle.ts'
import { RecordSpans } from '../record-copy.ts'
import { checkKeys, count, oneOf } from '../settings.ts'
import type { Shard } from '../shard.ts'
import type { Cursor } from './cursor.ts'
import type { OffsetRange } from './range-map.ts'

const OVERFLOWS = ['reject', 'drop-head', 'dead-letter', 'reject-dead-letter'] as const

/** Limits whose default is filled in. */
export interface CheckedLimits extends QueueLimits {
  readonly overflow: NonNullable<QueueLimits['overflow']>
}

/** What is limited, and where its messages are: those of the first cursor go first. */
export interface LimitedQueue {
  readonly address: string
  readonly cursors: readonly Cursor[]
  /** Sends a batch that it had no room for to its dead letters. */
  refused(batch: Uint8Array): void
}

/** How much a queue may hold, and what happens to more. */
export class QueueLimit implements CommitWaiter {
  readonly settings: CheckedLimits
  readonly #shard: Shard
  readonly #queue: LimitedQueue
  /** Appended and not committed yet, about: up to which ticket, and how much. */
  #pendingTicket = 0
  #pendingBytes = 0
  #waits = false

  constructor(shard: Shard, queue: LimitedQueue, settings: CheckedLimits) {
    this.#shard = shard
    this.#queue = queue
    this.settings = settings
  }

  /** @throws MillraceError `queue_full` when so much more is not taken */
  check(records: number, bytes: number): void {
    if (this.takes(records, bytes)) return
    const { messages = Infinity, bytes: bytesMax = Infinity } = this.settings
    const limit = messages < Infinity ? `${messages} message${messages === 1 ? '' : 's'}` : `${bytesMax} bytes`
    throw new MillraceError(
      'queue_full',
      `${this.#queue.address} is full: it holds at most ${limit}. Publish again when some were consumed.`,
    )
  }

  /** Whether so much more is taken. */
  takes(records: number, bytes: number): boolean {
    const { overflow, messages = Infinity, bytes: bytesMax = Infinity } = this.settings
    if (overflow !== 'reject' && overflow !== 'reject-dead-letter') return true
    return this.#messages() + records <= messages && this.#bytes() + bytes <= bytesMax
  }

  /** Whether what it refuses goes to the dead letters. */
  get keepsRefused(): boolean {
    return this.settings.overflow === 'reject-dead-letter'
  }

  /** Has the dead letters take a batch that was refused. It was checked and is not compressed. */
  refused(batch: Uint8Array): void {
    this.#queue.refused(batch)
  }

  /** How many of the first records of a batch `check` would let pass. The batch was checked and is not compressed. */
  fitting(batch: Uint8Array): number {
    const { messages = Infinity, bytes = Infinity } = this.settings
    const recordsMax = messages - this.#messages()
    const bytesMax = bytes - this.#bytes()
    const spans = new RecordSpans(batch)
    let records = 0
    if (BATCH_HEADER_BYTES <= bytesMax) while (records < recordsMax && spans.next() && spans.end <= bytesMax) records++
    return records
  }

  /** Something was appended: the oldest make room once it is committed. */
  appended(bytes: number): void {
    const { store, cycle } = this.#shard
    if (store.committedTicket >= this.#pendingTicket) this.#pendingBytes = 0
    this.#pendingTicket = store.ticket()
    this.#pendingBytes += bytes
    const { overflow } = this.settings
    if (overflow === 'reject' || overflow === 'reject-dead-letter' || this.#waits || this.#excess() <= 0) return
    this.#waits = true
    cycle.awaitNext(this)
  }

  committed(): void {
    this.#waits = false
    if (this.#queue.cursors[0]!.closed) return
    let excess = this.#excess()
    for (const cursor of this.#queue.cursors) {
      for (let ready = this.#oldest(cursor); ready !== undefined && excess > 0; ready = this.#oldest(cursor)) {
        const last = Math.min(ready.last, ready.first + excess - 1)
        excess -= last - ready.first + 1
        if (this.settings.overflow === 'dead-letter') cursor.die(ready.first, last, 'overflow')
        else cursor.takeOut(ready.first, last, 'dropped')
        this.#shard.cycle.bound()
      }
    }
  }

  /** Those of a cursor that go first. */
  #oldest(cursor: Cursor): OffsetRange | undefined {
    return cursor.readyFrom(0, this.#shard.store.bounds(cursor.log.id).end)
  }

  /** How many messages are too many. */
  #excess(): number {
    const { messages = Infinity, bytes = Infinity } = this.settings
    const held = this.#messages()
    const tooMany = held - messages
    const overBytes = this.#bytes() - bytes
    const tooLarge = overBytes > 0 && held > 0 ? Math.ceil((overBytes * held) / this.#bytes()) : 0
    return Math.max(tooMany, tooLarge)
  }

  /** That are neither settled nor on their way to the dead letters. */
  #messages(): number {
    const { cursors } = this.#queue
    let messages = 0
    for (let n = 0; n < cursors.length; n++) {
      const cursor = cursors[n]!
      messages += cursor.ready(cursor.log.end) + cursor.held.offsets - cursor.doomedRanges.offsets
    }
    return messages
  }

  #bytes(): number {
    const { store } = this.#shard
    const { cursors } = this.#queue
    let bytes = store.committedTicket >= this.#pendingTicket ? 0 : this.#pendingBytes
    for (let n = 0; n < cursors.length; n++) bytes += store.bounds(cursors[n]!.log.id).bytes
    return bytes
  }
}

/** @throws MillraceError `bad_request` */
export function checkLimits(limits: QueueLimits | undefined): CheckedLimits | undefined {
  if (limits === undefined) return undefined
  checkKeys('limits', limits, ['messages', 'bytes', 'overflow'])
  const { messages, bytes, overflow = 'reject' } = limits
  if (messages === undefined && bytes === undefined) return undefined
  return {
    ...(messages === undefined ? {} : { messages: count('limits.messages', messages, Number.MAX_SAFE_INTEGER) }),
    ...(bytes === undefined ? {} : { bytes: count('limits.bytes', bytes, Number.MAX_SAFE_INTEGER) }),
    overflow: oneOf('limits.overflow', overflow, OVERFLOWS),
  }
}
