/**
 * Exchanges as addresses: `exchange:NAME` or `exchange:NAME/KEY`. Inside NAME, `/` and `%` are percent-encoded; KEY is everything after the
 * first slash, as it is. The empty name is the default exchange.
 */
import { addressParts, encodedName } from './address-parts.ts'

const PREFIX = 'exchange:'

export interface ExchangeAddress {
  readonly name: string
  /** What messages are routed by, whatever their own key is; undefined: by their own. */
  readonly key: string | undefined
}

export function exchangeAddress(name: string, key?: string): string {
  const encoded = encodedName(name)
  return key === undefined ? PREFIX + encoded : `${PREFIX}${encoded}/${key}`
}

/** @returns undefined for the address of something else */
export function parseExchangeAddress(address: string): ExchangeAddress | undefined {
  const parts = addressParts(address, PREFIX)
  return parts && { name: parts.name, key: parts.rest }
}
