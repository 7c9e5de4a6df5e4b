import { MillraceError } from '../../base/errors.ts'
import { type LoginRule, loginRules } from '../../protocols/session.ts'
import type { HostPort, ListenEntry } from './config.ts'
import { DEFAULT_HOST, doors } from './doors.ts'
import { parseHostPort } from './host-port.ts'
import { parseListenerTls } from './listener-tls.ts'

/** Where a listener is, and what it has of its own. */
export type ListenerSettings = Omit<ListenEntry, 'door' | 'name' | 'asked'>

const keys = ['address', 'advertised', 'tls', 'login']

/**
 * @param value `HOST:PORT`, a port, or an object of those `keys`
 * @returns null for `none`
 * @throws MillraceError `bad_config`
 */
export function parseListener(door: string, name: string, value: unknown): ListenerSettings | null {
  if (value === 'none') return null
  if (typeof value === 'string' || typeof value === 'number') return parseAddress(door, name, String(value))
  const { address, advertised, tls, login } = settingsOf(name, value)
  const own = {
    tls: parseListenerTls(name, tls),
    advertised: parseAdvertised(door, name, advertised),
    login: parseLogin(name, login),
  }
  return {
    ...parseAddress(door, name, String(address)),
    ...Object.fromEntries(Object.entries(own).filter(([, set]) => set !== undefined)),
  }
}

function settingsOf(name: string, value: unknown): Readonly<Record<string, unknown>> {
  const wrong = (why: string): MillraceError =>
    new MillraceError('bad_config', `${why}; write ${name}: HOST:PORT, or an object of ${keys.join(', ')} where address must be`)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(`the address of the listener "${name}" is not text`)
  const unknown = Object.keys(value).find((key) => !keys.includes(key))
  if (unknown !== undefined) throw wrong(`the listener "${name}" has no setting "${unknown}"`)
  if (!('address' in value) || !['string', 'number'].includes(typeof value.address))
    throw wrong(`the listener "${name}" has no address`)
  return value
}

/** `HOST:PORT`, `[IPV6]:PORT`, or a port alone for this machine only. */
function parseAddress(door: string, name: string, text: string): HostPort {
  const address = parseHostPort(text)
  if (address === undefined) {
    throw new MillraceError(
      'bad_config',
      `"${text}" is not an address for the listener "${name}"; write HOST:PORT, for example ${name}=${DEFAULT_HOST}:${doors[door]!.port}, with IPv6 addresses in brackets`,
    )
  }
  return { host: address.host ?? DEFAULT_HOST, port: address.port }
}

function parseAdvertised(door: string, name: string, value: unknown): HostPort | undefined {
  if (value === undefined || value === null) return undefined
  if (doors[door]!.advertises === undefined)
    throw new MillraceError(
      'bad_config',
      `the door "${door}" tells its clients no address: "advertised" has no meaning at ${name}`,
    )
  const { host, port } = (typeof value === 'string' ? parseHostPort(value) : undefined) ?? {}
  if (host !== undefined && port !== undefined && port > 0) return { host, port }
  throw new MillraceError('bad_config', `advertised of the listener "${name}" must be HOST:PORT, with IPv6 addresses in brackets`)
}

function parseLogin(name: string, value: unknown): LoginRule | undefined {
  if (value === undefined || value === null) return undefined
  const rule = loginRules.find((each) => each === value)
  if (rule !== undefined) return rule
  throw new MillraceError('bad_config', `login of the listener "${name}" must be one of ${loginRules.join(', ')}`)
}
