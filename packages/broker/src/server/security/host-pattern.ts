import { BlockList, isIP } from 'node:net'

/** Whether an address is one of those that are meant. */
export type HostPattern = (host: string) => boolean

/** @param text an IP address, or a network as `10.0.0.0/8` @returns undefined for anything else */
export function compileHost(text: string): HostPattern | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  const family = familyOf(address)
  if (family === undefined || rest.length > 0) return undefined
  const longest = family === 'ipv4' ? 32 : 128
  const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity
  if (prefix > longest) return undefined
  const network = new BlockList()
  network.addSubnet(address, prefix, family)
  return (host) => {
    const kind = familyOf(host)
    return kind !== undefined && network.check(host, kind)
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6'
}
