import { placesOfRecords, type RecordPlace } from '@millrace/wire'
import type { Receipt } from './api.ts'
import type { MillraceError } from './errors.ts'

/** Somebody who awaits one message. */
export interface ReceiptWaiter {
  confirmed(receipt: Receipt): void
  failed(error: Error): void
}

/** Messages of a batch that were refused, when others were not. */
export interface RefusedMessages {
  /** Of the first of them in the batch. */
  readonly position: number
  /** How many, side by side; Infinity: all that follow. */
  readonly count: number
  readonly error: MillraceError
}

export const NONE_REFUSED: readonly RefusedMessages[] = []

/** How many messages of a batch were not refused. */
export function takenMessages(messages: number, refused: readonly RefusedMessages[]): number {
  return refused.reduce((taken, { position, count }) => taken - Math.min(count, messages - position), messages)
}

/** Those of a batch who are told where their messages are. */
export function takenWaiters(
  waiters: readonly (ReceiptWaiter | undefined)[] | undefined,
  refused: readonly RefusedMessages[],
): readonly (ReceiptWaiter | undefined)[] | undefined {
  if (waiters === undefined || refused.length === 0) return waiters
  return waiters.map((waiter, n) =>
    refused.some(({ position, count }) => n >= position && n < position + count) ? undefined : waiter,
  )
}

export class SingleReceipt implements ReceiptWaiter {
  readonly #resolve: (receipt: Receipt) => void
  readonly #reject: (error: Error) => void

  constructor(resolve: (receipt: Receipt) => void, reject: (error: Error) => void) {
    this.#resolve = resolve
    this.#reject = reject
  }

  confirmed(receipt: Receipt): void {
    this.#resolve(receipt)
  }

  failed(error: Error): void {
    this.#reject(error)
  }
}

/**
 * Tells those who await messages of a batch that is not side by side in one place.
 * @param placed runs of messages: those from a position on are side by side, but for duplicates among them
 * @param duplicates those that were published before, in order of their positions
 */
export function tellReceipts(
  waiters: readonly (ReceiptWaiter | undefined)[],
  placed: readonly RecordPlace[],
  duplicates: readonly RecordPlace[],
): void {
  const receipts = placesOfRecords(waiters.length, placed, duplicates)
  for (let n = 0; n < waiters.length; n++) waiters[n]?.confirmed(receipts[n]!)
}

/** @param firstId of the batch's first message; 0 when the broker found that it was due and published it */
export function tellScheduled(waiters: readonly (ReceiptWaiter | undefined)[], partition: number, firstId: number): void {
  for (let n = 0; n < waiters.length; n++)
    waiters[n]?.confirmed({ partition, offset: -1, ...(firstId === 0 ? {} : { scheduled: firstId + n }) })
}

/** Receipts of many messages behind one promise, which rejects with the first error once all outcomes are known. */
export class ReceiptCollector {
  readonly promise: Promise<readonly Receipt[]>
  readonly #receipts: Receipt[] = []
  #missing: number
  #error: Error | undefined
  #resolve!: (receipts: readonly Receipt[]) => void
  #reject!: (error: Error) => void

  constructor(count: number) {
    this.#receipts.length = count
    this.#missing = count
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (count === 0) this.#resolve([])
  }

  waiter(position: number): ReceiptWaiter {
    return new CollectedReceipt(this, position)
  }

  confirmed(position: number, receipt: Receipt): void {
    this.#receipts[position] = receipt
    this.#one()
  }

  failed(error: Error): void {
    this.#error ??= error
    this.#one()
  }

  #one(): void {
    if (--this.#missing > 0) return
    if (this.#error === undefined) this.#resolve(this.#receipts)
    else this.#reject(this.#error)
  }
}

class CollectedReceipt implements ReceiptWaiter {
  readonly #collector: ReceiptCollector
  readonly #position: number

  constructor(collector: ReceiptCollector, position: number) {
    this.#collector = collector
    this.#position = position
  }

  confirmed(receipt: Receipt): void {
    this.#collector.confirmed(this.#position, receipt)
  }

  failed(error: Error): void {
    this.#collector.failed(error)
  }
}
