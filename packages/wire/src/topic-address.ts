/**
 * Topics and subscriptions as addresses: `topic:NAME` or `topic:NAME/SUBSCRIPTION`. Inside NAME, `/` and `%` are percent-encoded: they may be in
 * the name of a virtual host that it begins with.
 */
import { decodedName, encodedName, exchangeAddress } from './exchange-address.ts'

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
  if (!address.startsWith(PREFIX)) return undefined
  const path = address.slice(PREFIX.length)
  const slash = path.indexOf('/')
  if (slash < 0) return { name: decodedName(path), subscription: undefined }
  return { name: decodedName(path.slice(0, slash)), subscription: path.slice(slash + 1) }
}

/** Of anything that messages are published to. */
export function destinationAddress(kind: 'queue' | 'topic' | 'exchange', name: string): string {
  if (kind === 'queue') return `queue:${name}`
  return kind === 'topic' ? topicAddress(name) : exchangeAddress(name)
}
