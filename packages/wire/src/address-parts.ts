/** Addresses that begin with a name in which `/` and `%` are percent-encoded: what follows its first slash is something else. */
export interface AddressParts {
  readonly name: string
  readonly rest: string | undefined
}

/** Of `PREFIX NAME` or `PREFIX NAME/REST`. @returns undefined for what begins in another way */
export function addressParts(address: string, prefix: string): AddressParts | undefined {
  if (!address.startsWith(prefix)) return undefined
  const path = address.slice(prefix.length)
  const slash = path.indexOf('/')
  if (slash < 0) return { name: decodedName(path), rest: undefined }
  return { name: decodedName(path.slice(0, slash)), rest: path.slice(slash + 1) }
}

// hot path: most names have nothing to encode, and looking is cheaper than replacing
export function encodedName(name: string): string {
  if (!name.includes('%') && !name.includes('/')) return name
  return name.replaceAll('%', '%25').replaceAll('/', '%2F')
}

/** A percent sign that encodes nothing stands for itself. */
function decodedName(name: string): string {
  if (!name.includes('%')) return name
  return name.replaceAll(/%(2F|25)/gi, (_, code: string) => (code === '25' ? '%' : '/'))
}
