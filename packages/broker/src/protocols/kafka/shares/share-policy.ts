import type { DeliveryPolicy } from '../../../core/broker.ts'
import { permit } from '../access.ts'
import type { Client } from '../served-api.ts'

/** How a share group delivers where nothing else was set: Kafka's defaults. */
export const sharePolicy: DeliveryPolicy = { leaseMs: 30_000, maxAttempts: 5 }

/** @throws KafkaError TOPIC_AUTHORIZATION_FAILED */
export function mayShare(client: Client, topic: string, group: string): void {
  permit(client, 'consume', `topic:${topic}/${group}`)
}
