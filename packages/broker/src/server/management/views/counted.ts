import type { FoundQueue } from '../../../protocols/amqp/definitions/found-queue.ts'
import type { ManagementServices } from '../services.ts'

export interface Counted {
  readonly messages: number
  readonly messages_ready: number
  readonly messages_unacknowledged: number
}

export function countsOf(found: FoundQueue): Counted {
  if (found.kind === 'topic') {
    const messages = found.info.partitionInfo.reduce((sum, { start, end }) => sum + end - start, 0)
    return { messages, messages_ready: messages, messages_unacknowledged: 0 }
  }
  const { ready, inFlight } = found.info
  return { messages: ready + inFlight, messages_ready: ready, messages_unacknowledged: inFlight }
}

export function sumOf(queues: readonly FoundQueue[]): Counted {
  const sum = { messages: 0, messages_ready: 0, messages_unacknowledged: 0 }
  for (const found of queues) {
    const counts = countsOf(found)
    sum.messages += counts.messages
    sum.messages_ready += counts.messages_ready
    sum.messages_unacknowledged += counts.messages_unacknowledged
  }
  return sum
}

/** All queues, and topics, which are streams there. */
export function allQueues({ session: { broker } }: Pick<ManagementServices, 'session'>): readonly FoundQueue[] {
  return [
    ...broker.queues().map((info) => ({ kind: 'queue', info }) as const),
    ...broker.topics().map((info) => ({ kind: 'topic', info }) as const),
  ]
}
