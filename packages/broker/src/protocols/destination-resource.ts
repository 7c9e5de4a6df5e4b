import { destinationAddress, parseExchangeAddress } from '@millrace/wire'

/**
 * What access is asked for when something is published to an address. Of an exchange that is its name alone, whatever the key; what the default exchange
 * gives to a queue by name is published to that queue.
 */
export function destinationResource(address: string): string {
  const exchange = parseExchangeAddress(address)
  if (exchange === undefined) return address
  const { name, key } = exchange
  return name === '' && key !== undefined ? `queue:${key}` : `exchange:${name}`
}

/** Queues and topics have their addresses as resources; exchanges their names as they are. */
export function resourceOf(kind: 'queue' | 'topic' | 'exchange', name: string): string {
  return kind === 'exchange' ? `exchange:${name}` : destinationAddress(kind, name)
}
