import type { DeliveryPolicy } from '../../../core/broker.ts'
import type { Client } from '../served-api.ts'

/** How a share group delivers where nothing else was set: Kafka's defaults. */
export const sharePolicy: DeliveryPolicy = { leaseMs: 30_000, maxAttempts: 5 }

/** @throws MillraceError `forbidden` */
export function mayShare({ context, principal }: Client, topic: string, group: string): void {
  context.authorize(principal, 'consume', `topic:${topic}/${group}`)
}
