import { MillraceError } from '../../base/errors.ts'
import type { ListenEntry, TlsSettings } from './config.ts'
import { DEFAULT_HOST, doors } from './doors.ts'
import { parseHostPort } from './host-port.ts'
import { nearestName } from './nearest-name.ts'
import { parseListenerTls } from './listener-tls.ts'

/** What one source (file, environment, flags) says about doors: the wire between parsing and merging. */
export interface ListenChoice {
  /** `none` alone: what weaker sources say is dropped. */
  readonly clear: boolean
  /** Door to address, or to null for a closed one. */
  readonly doors: ReadonlyMap<string, Place | null>
}

type Place = Pick<ListenEntry, 'host' | 'port' | 'tls'>

/**
 * @param value `none`, `DOOR=HOST:PORT`, several of them in a list or separated by commas, or an object { door: 'HOST:PORT' } or { door: { address, tls } }
 * @throws MillraceError `bad_config`
 */
export function parseListen(value: unknown): ListenChoice {
  const chosen = new Map<string, Place | null>()
  let clear = false
  for (const [door, address, tls] of entriesOf(value)) {
    if (door === 'none') clear = true
    else if (chosen.has(door)) throw new MillraceError('bad_config', `the door "${door}" is given twice`)
    else
      chosen.set(
        knownDoor(door),
        address === 'none' ? null : { ...parseAddress(address, door), ...(tls === undefined ? {} : { tls }) },
      )
  }
  return { clear, doors: chosen }
}

/** Later choices override earlier ones, door by door. */
export function mergeListen(choices: readonly ListenChoice[]): readonly ListenEntry[] {
  let merged = new Map<string, ListenEntry>()
  for (const [door, { port }] of Object.entries(doors)) merged.set(door, { door, host: DEFAULT_HOST, port, asked: false })
  for (const choice of choices) {
    if (choice.clear) merged = new Map()
    for (const [door, address] of choice.doors) {
      if (address === null) merged.delete(door)
      else merged.set(door, { door, ...address, asked: true })
    }
  }
  return Object.keys(doors).flatMap((door) => merged.get(door) ?? [])
}

/** `127.0.0.1:6455`, `[::1]:6455` */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

type Entry = readonly [door: string, address: string, tls?: TlsSettings | false | undefined]

function entriesOf(value: unknown): readonly Entry[] {
  if (typeof value === 'string')
    return value
      .split(',')
      .filter((part) => part.trim() !== '')
      .map(entryOf)
  if (Array.isArray(value)) return value.flatMap((part) => entriesOf(part))
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([door, address]): Entry => {
      if (typeof address === 'string') return [door, address]
      if (typeof address === 'number') return [door, String(address)]
      if (isListener(address)) return [door, String(address.address), parseListenerTls(door, address.tls)]
      throw new MillraceError('bad_config', `the address of the door "${door}" is not text; write ${door}: HOST:PORT`)
    })
  }
  throw new MillraceError('bad_config', 'it is neither `none` nor DOOR=HOST:PORT')
}

function isListener(value: unknown): value is { readonly address: string | number; readonly tls?: unknown } {
  if (typeof value !== 'object' || value === null || !('address' in value)) return false
  const isAddress = typeof value.address === 'string' || typeof value.address === 'number'
  return isAddress && Object.keys(value).every((key) => key === 'address' || key === 'tls')
}

function entryOf(text: string): readonly [string, string] {
  const entry = text.trim()
  if (entry === 'none') return ['none', '']
  const equals = entry.indexOf('=')
  if (equals < 1) throw new MillraceError('bad_config', `"${entry}" is not DOOR=HOST:PORT, for example native=127.0.0.1:6455`)
  return [entry.slice(0, equals), entry.slice(equals + 1)]
}

function knownDoor(door: string): string {
  if (Object.hasOwn(doors, door)) return door
  const names = Object.keys(doors)
  const near = nearestName(door, names)
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`
  throw new MillraceError('bad_config', `there is no door "${door}" in this version; the doors are ${names.join(', ')}.${hint}`)
}

/** `HOST:PORT`, `[IPV6]:PORT`, or a port alone for this machine only. */
function parseAddress(text: string, door: string): { host: string; port: number } {
  const address = parseHostPort(text)
  if (address === undefined) {
    throw new MillraceError(
      'bad_config',
      `"${text}" is not an address for the door "${door}"; write HOST:PORT, for example ${door}=${DEFAULT_HOST}:${doors[door]!.port}, with IPv6 addresses in brackets`,
    )
  }
  return { host: address.host ?? DEFAULT_HOST, port: address.port }
}
