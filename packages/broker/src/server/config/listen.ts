import { MillraceError } from '../../base/errors.ts'
import type { ListenEntry } from './config.ts'
import { DEFAULT_HOST, doors } from './doors.ts'
import { type ListenerSettings, parseListener } from './listener-settings.ts'
import { nearestName } from './nearest-name.ts'

/** What one source (file, environment, flags) says about listeners: the wire between parsing and merging. */
export interface ListenChoice {
  /** `none` alone: what weaker sources say is dropped. */
  readonly clear: boolean
  /** Name of a listener to what it is, or to null for a closed one. */
  readonly listeners: ReadonlyMap<string, ListenerSettings | null>
}

/** What tells further listeners of a door apart: the part after the slash. */
const LABEL = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/

/**
 * @param value `none`, `LISTENER=HOST:PORT`, several of them in a list or separated by commas, or an object
 *   { listener: 'HOST:PORT' } or { listener: { address, ... } }, where a listener is `DOOR` or `DOOR/NAME`
 * @throws MillraceError `bad_config`
 */
export function parseListen(value: unknown): ListenChoice {
  const listeners = new Map<string, ListenerSettings | null>()
  let clear = false
  for (const [name, settings] of entriesOf(value)) {
    if (name === 'none') clear = true
    else if (listeners.has(name)) throw new MillraceError('bad_config', `the listener "${name}" is given twice`)
    else listeners.set(name, parseListener(doorOf(name), name, settings))
  }
  return { clear, listeners }
}

/** Later choices override earlier ones, listener by listener. */
export function mergeListen(choices: readonly ListenChoice[]): readonly ListenEntry[] {
  let merged = new Map<string, ListenEntry>()
  for (const [door, { port }] of Object.entries(doors))
    merged.set(door, { door, name: door, host: DEFAULT_HOST, port, asked: false })
  for (const choice of choices) {
    if (choice.clear) merged = new Map()
    for (const [name, settings] of choice.listeners) {
      if (settings === null) merged.delete(name)
      else merged.set(name, { door: doorOf(name), name, ...settings, asked: true })
    }
  }
  const all = [...merged.values()]
  // The listener with the name of its door comes first, the others as they were given.
  return Object.keys(doors).flatMap((door) => {
    const own = all.filter((entry) => entry.door === door)
    return [...own.filter(({ name }) => name === door), ...own.filter(({ name }) => name !== door)]
  })
}

/** `127.0.0.1:6455`, `[::1]:6455` */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

type Entry = readonly [name: string, settings: unknown]

function entriesOf(value: unknown): readonly Entry[] {
  if (typeof value === 'string')
    return value
      .split(',')
      .filter((part) => part.trim() !== '')
      .map(entryOf)
  if (Array.isArray(value)) return value.flatMap((part) => entriesOf(part))
  if (typeof value === 'object' && value !== null) return Object.entries(value)
  throw new MillraceError('bad_config', 'it is neither `none` nor DOOR=HOST:PORT')
}

function entryOf(text: string): Entry {
  const entry = text.trim()
  if (entry === 'none') return ['none', '']
  const equals = entry.indexOf('=')
  if (equals < 1) throw new MillraceError('bad_config', `"${entry}" is not DOOR=HOST:PORT, for example native=127.0.0.1:6455`)
  return [entry.slice(0, equals), entry.slice(equals + 1)]
}

/** The door of a listener. @throws MillraceError `bad_config` */
function doorOf(name: string): string {
  const slash = name.indexOf('/')
  const door = slash === -1 ? name : name.slice(0, slash)
  if (!Object.hasOwn(doors, door)) throw unknownDoor(door)
  if (slash === -1 || LABEL.test(name.slice(slash + 1))) return door
  throw new MillraceError(
    'bad_config',
    `"${name}" is no name of a listener: write ${door}, or ${door}/NAME for a further one, of letters, digits, - and _`,
  )
}

function unknownDoor(door: string): MillraceError {
  const names = Object.keys(doors)
  const near = nearestName(door, names)
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`
  return new MillraceError('bad_config', `there is no door "${door}" in this version; the doors are ${names.join(', ')}.${hint}`)
}
