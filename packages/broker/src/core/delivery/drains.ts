import type { Ticket } from '../../storage/log-store.ts'
import type { GroupConsumer } from './group-consumer.ts'

/** Consumers of a group whose credit ends with what there is. */
export class Drains {
  /** With the commit that was open when each was to be drained: what that holds is there. */
  readonly #consumers = new Map<GroupConsumer, Ticket>()

  add(consumer: GroupConsumer, open: Ticket): void {
    this.#consumers.set(consumer, open)
  }

  forget(consumer: GroupConsumer): void {
    this.#consumers.delete(consumer)
  }

  /** Ends those for which there is nothing more. */
  end(mayGetMore: (consumer: GroupConsumer, open: Ticket) => boolean): void {
    for (const [consumer, open] of this.#consumers) {
      if (mayGetMore(consumer, open)) continue
      this.#consumers.delete(consumer)
      consumer.credit = 0
      consumer.sink.drained?.()
    }
  }
}
