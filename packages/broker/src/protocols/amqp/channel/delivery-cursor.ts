// hot path (packages/broker/test/amqp/throughput.mjs)
import { RecordCursor } from '@millrace/wire'
import type { Delivery } from '../../../core/broker.ts'

/** Walks the records of one delivery after the other; one that goes on in the same batch goes on where the one before ended. */
export class DeliveryCursor {
  #delivery: Delivery | undefined
  #cursor: RecordCursor | undefined
  /** The cursor stands on a record that was not shown. */
  #isAhead = false
  offset = 0

  begin(delivery: Delivery): void {
    const before = this.#delivery
    if (before?.batch !== delivery.batch || before.last >= delivery.first) {
      this.#cursor = new RecordCursor(delivery.batch)
      this.#isAhead = false
    }
    this.#delivery = delivery
  }

  /** The next record of the delivery, or undefined after the last. `offset` gets its offset. */
  next(): RecordCursor | undefined {
    const delivery = this.#delivery
    const cursor = this.#cursor
    if (delivery === undefined || cursor === undefined) return undefined
    while (this.#isAhead || cursor.next()) {
      const offset = delivery.baseOffset + cursor.offsetDelta
      this.#isAhead = offset > delivery.last
      if (this.#isAhead) return undefined
      if (offset < delivery.first) continue
      this.offset = offset
      return cursor
    }
    return undefined
  }

  /** Lets go of the batch. */
  release(): void {
    this.#delivery = this.#cursor = undefined
    this.#isAhead = false
  }
}
