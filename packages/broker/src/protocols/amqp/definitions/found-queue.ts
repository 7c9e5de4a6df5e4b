import { orUndefined } from '../../../base/errors.ts'
import type { Broker, QueueInfo, TopicInfo } from '../../../core/broker.ts'
import { type DeclaredQueue, declaredQueue } from './labels.ts'

/** A queue as the core has it: one of its queues, or a topic, which clients see as a stream. */
export type FoundQueue =
  { readonly kind: 'queue'; readonly info: QueueInfo } | { readonly kind: 'topic'; readonly info: TopicInfo }

/** @param core its name in the core */
export function findQueue(broker: Broker, core: string): FoundQueue | undefined {
  const info = orUndefined(() => broker.queue(core))
  if (info !== undefined) return { kind: 'queue', info }
  const topic = orUndefined(() => broker.topic(core))
  return topic === undefined ? undefined : { kind: 'topic', info: topic }
}

/** `arguments` of what was not declared over AMQP is undefined. */
export function declaredOf({
  kind,
  info,
}: FoundQueue): Omit<DeclaredQueue, 'arguments'> & Partial<Pick<DeclaredQueue, 'arguments'>> {
  const declared = declaredQueue(info)
  if (declared !== undefined) return declared
  if (kind === 'topic') return { type: 'stream', durable: true, exclusive: false, autoDelete: false }
  return { type: 'classic', durable: info.durable, exclusive: false, autoDelete: info.autoDelete }
}

/** Whether its messages say how often they were delivered before. */
export function tellsCountOf(found: FoundQueue): boolean {
  return declaredOf(found).type === 'quorum'
}
