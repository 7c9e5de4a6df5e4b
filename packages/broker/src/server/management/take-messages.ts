import type { MillraceError } from '../../base/errors.ts'
import type { Broker, Delivery, DeliverySink, Outcome } from '../../core/broker.ts'

/** A handed-out message: released when the consumer is closed, unless it is settled. */
export interface Taken {
  readonly delivery: Delivery
  readonly offset: number
}

/** Takes what there is of a queue now, once. */
class Taker implements DeliverySink {
  readonly taken: Taken[] = []
  #done: (() => void) | undefined
  #isDone = false

  deliver(delivery: Delivery): void {
    for (let offset = delivery.first; offset <= delivery.last; offset++) this.taken.push({ delivery, offset })
  }

  drained(): void {
    this.#finish()
  }

  closed(_reason: MillraceError): void {
    this.#finish()
  }

  whenDone(): Promise<void> {
    return this.#isDone ? Promise.resolve() : new Promise((resolve) => (this.#done = resolve))
  }

  #finish(): void {
    this.#isDone = true
    this.#done?.()
  }
}

/**
 * Takes at most so many messages of a queue, and gives them to `use`, which acks or rejects what is not to be there any more; the rest goes back, and was
 * delivered once more.
 * @throws MillraceError `not_found`, `in_use`
 */
export async function takeMessages<T>(
  broker: Broker,
  queue: string,
  count: number,
  use: (taken: readonly Taken[], settle: (taken: Taken, outcome: Outcome) => void) => T,
): Promise<T> {
  const taker = new Taker()
  const consumer = broker.consume(`queue:${queue}`, { polls: true }, taker)
  try {
    consumer.grant(count)
    consumer.drain()
    await taker.whenDone()
    let isChanged = false
    const result = use(taker.taken, ({ delivery: { partition }, offset }, outcome) => {
      consumer.settle(partition, offset, offset, outcome)
      isChanged = true
    })
    if (isChanged) await broker.whenCommitted(broker.ticket())
    return result
  } finally {
    consumer.close()
  }
}
