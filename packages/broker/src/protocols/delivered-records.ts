import { RecordReader } from '@millrace/wire'
import type { Delivery } from '../core/broker.ts'

/**
 * Walks the records of one delivery after the other. What was found in one batch by a filter comes in many small deliveries: each
 * goes on where the one before ended.
 */
export class DeliveredRecords {
  #delivery: Delivery | undefined
  #reader: RecordReader | undefined
  /** The reader stands on a record that was not shown. */
  #isAhead = false
  offset = 0

  begin(delivery: Delivery): void {
    const before = this.#delivery
    if (before?.batch !== delivery.batch || before.last >= delivery.first) {
      this.#reader = new RecordReader(delivery.batch)
      this.#isAhead = false
    }
    this.#delivery = delivery
  }

  /** The next record of the delivery, or undefined after the last. `offset` gets its offset. */
  next(): RecordReader | undefined {
    const delivery = this.#delivery
    const reader = this.#reader
    if (delivery === undefined || reader === undefined) return undefined
    while (this.#isAhead || reader.next()) {
      const offset = delivery.baseOffset + reader.offsetDelta
      this.#isAhead = offset > delivery.last
      if (this.#isAhead) return undefined
      if (offset < delivery.first) continue
      this.offset = offset
      return reader
    }
    return undefined
  }
}
