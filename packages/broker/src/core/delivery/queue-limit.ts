import { MillraceError } from '../../base/errors.ts'
import type { QueueLimits } from '../broker.ts'
import type { CommitWaiter } from '../commit-cycle.ts'
import { checkKeys, oneOf, positive } from '../settings.ts'
import type { Shard } from '../shard.ts'
import type { Cursor } from './cursor.ts'

/** Limits whose default is filled in. */
export interface CheckedLimits extends QueueLimits {
  readonly overflow: NonNullable<QueueLimits['overflow']>
}

/** How much a queue may hold, and what happens to more. */
export class QueueLimit implements CommitWaiter {
  readonly settings: CheckedLimits
  readonly #shard: Shard
  readonly #cursor: Cursor
  /** Appended and not committed yet, about: up to which ticket, and how much. */
  #pendingTicket = 0
  #pendingBytes = 0
  #waits = false

  constructor(shard: Shard, cursor: Cursor, settings: CheckedLimits) {
    this.#shard = shard
    this.#cursor = cursor
    this.settings = settings
  }

  /** @throws MillraceError `queue_full` when so much more is not taken */
  check(records: number, bytes: number): void {
    const { overflow, messages = Infinity, bytes: bytesMax = Infinity } = this.settings
    if (overflow !== 'reject') return
    if (this.#messages() + records <= messages && this.#bytes() + bytes <= bytesMax) return
    const limit = messages < Infinity ? `${messages} message${messages === 1 ? '' : 's'}` : `${bytesMax} bytes`
    throw new MillraceError(
      'queue_full',
      `${this.#cursor.owner.address} is full: it holds at most ${limit}. Publish again when some were consumed.`,
    )
  }

  /** Something was appended: the oldest make room once it is committed. */
  appended(bytes: number): void {
    const { store, cycle } = this.#shard
    if (store.committedTicket >= this.#pendingTicket) this.#pendingBytes = 0
    this.#pendingTicket = store.ticket()
    this.#pendingBytes += bytes
    if (this.settings.overflow === 'reject' || this.#waits || this.#excess() <= 0) return
    this.#waits = true
    cycle.awaitNext(this)
  }

  committed(): void {
    this.#waits = false
    if (this.#cursor.closed) return
    const { end } = this.#shard.store.bounds(this.#cursor.log.id)
    let excess = this.#excess()
    for (let ready = this.#cursor.readyFrom(0, end); ready !== undefined && excess > 0; ready = this.#cursor.readyFrom(0, end)) {
      const last = Math.min(ready.last, ready.first + excess - 1)
      excess -= last - ready.first + 1
      if (this.settings.overflow === 'dead-letter') this.#cursor.die(ready.first, last, 'overflow')
      else this.#cursor.takeOut(ready.first, last, 'dropped')
      this.#shard.cycle.bound()
    }
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
    const { log, held, doomedRanges } = this.#cursor
    return this.#cursor.ready(log.end) + held.offsets - doomedRanges.offsets
  }

  #bytes(): number {
    const { store } = this.#shard
    const pending = store.committedTicket >= this.#pendingTicket ? 0 : this.#pendingBytes
    return store.bounds(this.#cursor.log.id).bytes + pending
  }
}

/** @throws MillraceError `bad_request` */
export function checkLimits(limits: QueueLimits | undefined): CheckedLimits | undefined {
  if (limits === undefined) return undefined
  checkKeys('limits', limits, ['messages', 'bytes', 'overflow'])
  const { messages, bytes, overflow = 'reject' } = limits
  if (messages === undefined && bytes === undefined) return undefined
  return {
    ...(messages === undefined ? {} : { messages: positive('limits.messages', messages, Number.MAX_SAFE_INTEGER) }),
    ...(bytes === undefined ? {} : { bytes: positive('limits.bytes', bytes, Number.MAX_SAFE_INTEGER) }),
    overflow: oneOf('limits.overflow', overflow, ['reject', 'drop-head', 'dead-letter']),
  }
}
