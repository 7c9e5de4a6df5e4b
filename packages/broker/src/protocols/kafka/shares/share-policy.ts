import type { DeliveryPolicy } from '../../../core/broker.ts'
import { isAllowed } from '../../session.ts'
import { errors, KafkaError } from '../errors.ts'
import type { Client } from '../served-api.ts'

/** How a share group delivers where nothing else was set: Kafka's defaults. */
export const sharePolicy: DeliveryPolicy = { leaseMs: 30_000, maxAttempts: 5 }

/** @throws KafkaError TOPIC_AUTHORIZATION_FAILED */
export function mayShare({ context, principal }: Client, topic: string, group: string): void {
  const resource = `topic:${topic}/${group}`
  if (isAllowed(context, principal, 'consume', resource)) return
  throw new KafkaError(errors.TOPIC_AUTHORIZATION_FAILED, `${principal.user} may not consume ${resource}`)
}
