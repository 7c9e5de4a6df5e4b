import type { Broker } from '../../core/broker.ts'

const QUEUE = 'queue:'

/** Messages that clients of the door took from a queue, in ways of which the core knows no difference. */
export class QueueCounters {
  deliveredNoAck = 0
  got = 0
  gotNoAck = 0
  /** Requests that found nothing. */
  gotNothing = 0
}

/** Those of all queues, by name in the core, since the broker started. */
export class AllQueueCounters {
  readonly #byQueue = new Map<string, QueueCounters>()

  constructor(broker: Pick<Broker, 'onDeleted'>) {
    broker.onDeleted((address) => {
      if (address.startsWith(QUEUE)) this.#byQueue.delete(address.slice(QUEUE.length))
    })
  }

  /** @param queue one that exists */
  of(queue: string): QueueCounters {
    let counters = this.#byQueue.get(queue)
    if (counters === undefined) this.#byQueue.set(queue, (counters = new QueueCounters()))
    return counters
  }
}
