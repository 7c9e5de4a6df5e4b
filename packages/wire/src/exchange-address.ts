/**
 * Exchanges as addresses: `exchange:NAME` or `exchange:NAME/KEY`. Inside NAME, `/` and `%` are percent-encoded; KEY is everything after the
 * first slash, as it is. The empty name is the default exchange.
 */
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
  if (!address.startsWith(PREFIX)) return undefined
  const path = address.slice(PREFIX.length)
  const slash = path.indexOf('/')
  const name = slash < 0 ? path : path.slice(0, slash)
  return { name: decodedName(name), key: slash < 0 ? undefined : path.slice(slash + 1) }
}

export function encodedName(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F')
}

/** A percent sign that encodes nothing stands for itself. */
export function decodedName(name: string): string {
  return name.replaceAll(/%(2F|25)/gi, (_, code: string) => (code === '25' ? '%' : '/'))
}
