import type { PublishChannel } from './publish-channel.ts'
import type { ReceiptWaiter } from './receipts.ts'

/** A batch under way to the broker. Kept until its outcome is known, to be sent again on another connection. */
export interface SentBatch {
  readonly publisher: PublishChannel
  readonly partition: number
  readonly bytes: Uint8Array
  readonly messages: number
  /** What it takes from the window's bytes. */
  readonly weight: number
  /** When it is to be published, milliseconds since 1970; 0: now. */
  readonly dueMs: number
  /** Those who await single messages, by position in the batch. Sparse. */
  readonly waiters: readonly (ReceiptWaiter | undefined)[] | undefined
  /** Of an idempotent publisher: that of its first message in the partition; -1 while it has none. */
  sequence: number
}
