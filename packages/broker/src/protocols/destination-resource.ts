import { parseExchangeAddress } from '@millrace/wire'

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
