/**
 * Topics and subscriptions as addresses: `topic:NAME` or `topic:NAME/SUBSCRIPTION`. Inside NAME, `/` and `%` are percent-encoded: they may be in
 * the name of a virtual host that it begins with.
 */
import { addressParts, encodedName } from './address-parts.ts'
import { exchangeAddress } from './exchange-address.ts'

const PREFIX = 'topic:'

export interface TopicAddress {
  readonly name: string
  readonly subscription: string | undefined
}

export function topicAddress(name: string, subscription?: string): `topic:${string}` {
  return subscription === undefined ? `topic:${encodedName(name)}` : `topic:${encodedName(name)}/${subscription}`
}

/** @returns undefined for the address of something else */
export function parseTopicAddress(address: string): TopicAddress | undefined {
  const parts = addressParts(address, PREFIX)
  return parts && { name: parts.name, subscription: parts.rest }
}

/** Of anything that messages are published to. */
export function destinationAddress(kind: 'queue' | 'topic' | 'exchange', name: string): string {
  if (kind === 'queue') return `queue:${name}`
  return kind === 'topic' ? topicAddress(name) : exchangeAddress(name)
}
