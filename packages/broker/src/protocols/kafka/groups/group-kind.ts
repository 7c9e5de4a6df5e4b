/**
 * A name is that of a group of consumers or of a share group, as in Kafka. Subscriptions of other doors can have the name of a group of consumers
 * all the same: then it is none of a share group.
 */
import { errors, KafkaError } from '../errors.ts'
import type { Client } from '../served-api.ts'
import { shareGroupsOf } from '../shares/share-groups.ts'

/** Whether some topic has a subscription of that name, or it has members. */
export function isShareGroup(client: Client, name: string): boolean {
  const { groups, subscriptionGroups } = client.broker
  if (groups.has(name)) return false
  return shareGroupsOf(client).group(name) !== undefined || subscriptionGroups.topics(name).length > 0
}

/** All of them: every subscription belongs to one. */
export function shareGroupNames(client: Client): readonly string[] {
  const { groups, subscriptionGroups } = client.broker
  const names = new Set([...shareGroupsOf(client).names(), ...subscriptionGroups.names()])
  return [...names].filter((name) => !groups.has(name))
}

/** @throws KafkaError GROUP_ID_NOT_FOUND for the name of a group of consumers */
export function checkMayShare({ broker }: Client, name: string): void {
  if (broker.groups.has(name)) throw new KafkaError(errors.GROUP_ID_NOT_FOUND, `${name} is not a share group`)
}

/** @throws KafkaError GROUP_ID_NOT_FOUND for the name of a share group */
export function checkMayConsume(client: Client, name: string): void {
  if (isShareGroup(client, name)) throw new KafkaError(errors.GROUP_ID_NOT_FOUND, `${name} is not a consumer group`)
}
