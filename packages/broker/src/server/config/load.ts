import { readFileSync } from 'node:fs'
import { MillraceError } from '../../base/errors.ts'
import type { Config, ConfigPath } from './config.ts'
import { configKeys, configPaths, environmentName, flagAttribute, flagName } from './keys.ts'
import { mergeListen, parseListen, type ListenChoice } from './listen.ts'
import { nearestName } from './nearest-name.ts'
import { parseValue } from './value.ts'

export interface ConfigSources {
  /** Values by the attribute names of a command-line parser (`flagAttribute`), or by path; undefined ones are ignored. */
  readonly flags?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string | undefined>>
  /** YAML file. By default the one that `MILLRACE_CONFIG` names, if any. */
  readonly file?: string | undefined
  /** Told about what is odd but does no harm. */
  readonly onWarning?: (message: string) => void
}

/** Variables of the `MILLRACE_` family that are not keys: other programs of the project read them. */
const otherVariables = new Set([
  'MILLRACE_CONFIG',
  'MILLRACE_URL',
  'MILLRACE_USER',
  'MILLRACE_PASSWORD',
  'MILLRACE_TOKEN',
  'MILLRACE_CA',
])

/** What Kubernetes sets in every pod for a service that is called `millrace` or `millrace-...`. */
const serviceVariable = /(_SERVICE_HOST|_SERVICE_PORT(_.+)?|_PORT|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/

/** What a source says about a key, and what to call that in a message. */
interface Setting {
  readonly value: unknown
  readonly from: string
}

type Settings = Map<ConfigPath, Setting>

/**
 * Defaults, then the file, then the environment, then flags: each overrides what came before.
 * @throws MillraceError `bad_config` that lists everything that is wrong, one problem per line
 */
export async function loadConfig(sources: ConfigSources = {}): Promise<Config> {
  const problems: string[] = []
  const env = sources.env ?? {}
  const file = sources.file ?? env['MILLRACE_CONFIG']
  const layers: Settings[] = [
    file === undefined ? new Map() : await readFileSettings(file, problems),
    readEnvironment(env, problems, sources.onWarning),
    readFlags(sources.flags ?? {}, problems),
  ]

  const values = new Map<ConfigPath, unknown>()
  for (const path of configPaths)
    values.set(path, path === 'listen' ? resolveListen(layers, problems) : resolve(path, layers, problems))
  if (problems.length === 0) checkTogether(values, problems)
  if (problems.length > 0) throw new MillraceError('bad_config', problems.join('\n'))
  return nested(values)
}

function resolve(path: Exclude<ConfigPath, 'listen'>, layers: readonly Settings[], problems: string[]): unknown {
  const { type, default: standard } = configKeys[path]
  if (type.kind === 'listen') return undefined
  const setting = layers.findLast((layer) => layer.has(path))?.get(path) ?? { value: standard, from: path }
  // An explicit null in YAML means what leaving the key out means.
  const value = setting.value ?? standard
  if (value === null) return null
  return collecting(problems, setting.from, () => parseValue(type, value))
}

function resolveListen(layers: readonly Settings[], problems: string[]): unknown {
  const choices: ListenChoice[] = []
  for (const layer of layers) {
    const setting = layer.get('listen')
    if (setting === undefined || setting.value === null) continue
    const choice = collecting(problems, setting.from, () => parseListen(setting.value))
    if (choice !== undefined) choices.push(choice)
  }
  return mergeListen(choices)
}

function checkTogether(values: ReadonlyMap<ConfigPath, unknown>, problems: string[]): void {
  const bytes = (path: ConfigPath): number => values.get(path) as number
  const atMost = (low: ConfigPath, high: ConfigPath): void => {
    if (bytes(low) > bytes(high)) problems.push(`${low} (${bytes(low)}) must not be more than ${high} (${bytes(high)})`)
  }
  atMost('limits.pendingBytesLow', 'limits.pendingBytesHigh')
}

// ---- sources --------------------------------------------------------------------------------------------------------

async function readFileSettings(file: string, problems: string[]): Promise<Settings> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new MillraceError('bad_config', `cannot read the configuration file ${file}: ${(error as Error).message}`, {
      cause: error,
    })
  }
  const { parse } = await import('yaml')
  let content: unknown
  try {
    content = parse(text)
  } catch (error) {
    throw new MillraceError('bad_config', `${file} is not valid YAML: ${(error as Error).message}`, { cause: error })
  }
  const settings: Settings = new Map()
  if (content === null) return settings
  if (!isObject(content)) throw new MillraceError('bad_config', `${file} must hold "key: value" lines`)
  flatten(content, '', (path, value) => {
    if (isPath(path)) settings.set(path, { value, from: `${file}: ${path}` })
    else problems.push(`${file}: there is no key "${path}".${didYouMean(path, configPaths)}`)
  })
  return settings
}

function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
  onWarning: ((message: string) => void) | undefined,
): Settings {
  const paths = new Map(configPaths.map((path) => [environmentName(path), path]))
  const settings: Settings = new Map()
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('MILLRACE_') || value === undefined || otherVariables.has(name)) continue
    const path = paths.get(name)
    if (path !== undefined) settings.set(path, { value, from: name })
    else if (!serviceVariable.test(name)) {
      // The environment is shared with other programs: only what looks like a mistyped key is an error.
      const near = nearestName(name, paths.keys())
      if (near !== undefined) problems.push(`${name}: there is no such setting. Did you mean ${near}?`)
      else onWarning?.(`The environment variable ${name} is not a setting of the broker; it is ignored.`)
    }
  }
  return settings
}

function readFlags(flags: Readonly<Record<string, unknown>>, problems: string[]): Settings {
  const paths = new Map(configPaths.map((path) => [flagAttribute(path), path]))
  const settings: Settings = new Map()
  for (const [attribute, value] of Object.entries(flags)) {
    if (value === undefined) continue
    const path = paths.get(attribute) ?? (isPath(attribute) ? attribute : undefined)
    if (path !== undefined) settings.set(path, { value, from: `--${flagName(path)}` })
    else problems.push(`there is no setting "${attribute}".${didYouMean(attribute, paths.keys())}`)
  }
  return settings
}

// ---- pieces ---------------------------------------------------------------------------------------------------------

function collecting<T>(problems: string[], from: string, parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    problems.push(`${from}: ${error.message}`)
    return undefined
  }
}

function flatten(value: Readonly<Record<string, unknown>>, prefix: string, visit: (path: string, value: unknown) => void): void {
  for (const [key, inner] of Object.entries(value)) {
    const path = prefix + key
    if (isObject(inner) && configPaths.some((known) => known.startsWith(`${path}.`))) flatten(inner, `${path}.`, visit)
    else visit(path, inner)
  }
}

function nested(values: ReadonlyMap<ConfigPath, unknown>): Config {
  const config: Record<string, unknown> = {}
  const groups: Record<string, Record<string, unknown>> = {}
  for (const [path, value] of values) {
    const [group, key] = path.split('.') as [string, string?]
    if (key === undefined) config[group] = value
    else (groups[group] ??= {})[key] = value
  }
  return { ...config, ...groups } as unknown as Config
}

function didYouMean(typed: string, names: Iterable<string>): string {
  const known = [...names]
  // A key written without its group is the commonest slip: `level` for `log.level`.
  const near = known.find((name) => name.endsWith(`.${typed}`)) ?? nearestName(typed, known)
  return near === undefined ? ' See docs/configuration.md for all keys.' : ` Did you mean "${near}"?`
}

function isPath(name: string): name is ConfigPath {
  return Object.hasOwn(configKeys, name)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
