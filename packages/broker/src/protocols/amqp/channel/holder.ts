import type { Consumer } from '../../../core/broker.ts'

/** Who delivered a message that is not settled. */
export interface Holder {
  /** Undefined where there is nothing to settle: a stream keeps what it delivered. */
  readonly consumer: Consumer | undefined
  /** So many of its deliveries were settled, by the client or at the end of a transaction. */
  settled(count: number): void
}
