import type { HeaderToWrite, RecordBatchBuilder } from '@millrace/wire'
import type { Body, PublishOptions, Receipt } from './api.ts'
import type { ReceiptWaiter } from './receipts.ts'

/** Messages for one partition that will be one batch. */
export interface Gathering {
  readonly partition: number
  /** 0: now. */
  readonly dueMs: number
  /** Borrowed from the link while there is something in it. */
  builder: RecordBatchBuilder | undefined
  weight: number
  waiters: (ReceiptWaiter | undefined)[] | undefined
}

/** A message that came before the broker told how many partitions there are. */
export interface EarlyMessage {
  readonly key: string | Uint8Array | null
  readonly value: Uint8Array
  readonly headers: readonly HeaderToWrite[]
  readonly timestampMs: number
  readonly dueMs: number
  readonly weight: number
  readonly waiter: ReceiptWaiter | undefined
}

export function newGathering(partition: number, dueMs: number): Gathering {
  return { partition, dueMs, builder: undefined, weight: 0, waiters: undefined }
}

/** A message for which the window has no room yet. */
export interface QueuedMessage {
  readonly body: Body
  readonly options: PublishOptions
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: unknown) => void
}
