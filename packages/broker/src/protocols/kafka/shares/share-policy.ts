import { topicAddress } from '@millrace/wire'
import type { DeliveryPolicy } from '../../../core/broker.ts'
import { may, permit } from '../access.ts'
import type { Client } from '../served-api.ts'

/** How a share group delivers where nothing else was set: Kafka's defaults. */
export const sharePolicy: DeliveryPolicy = { leaseMs: 30_000, maxAttempts: 5 }

/** Whoever may read the topic, as Kafka has it, or consume the subscription. @throws KafkaError TOPIC_AUTHORIZATION_FAILED */
export function mayShare(client: Client, topic: string, group: string): void {
  if (!may(client, 'read', topicAddress(topic))) permit(client, 'consume', topicAddress(topic, group))
}
