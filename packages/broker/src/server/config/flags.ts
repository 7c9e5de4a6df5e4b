import { unreachable } from '../../base/assert.ts'
import type { ConfigPath } from './config.ts'
import { configKeys, configPaths, environmentName, flagAttribute, flagName, type KeyType } from './keys.ts'

/** What a command line needs to offer a key as a flag. The values go to `loadConfig({ flags })` as they were typed. */
export interface ConfigFlag {
  readonly path: ConfigPath
  /** Without dashes: `limits-batch-bytes-max`. */
  readonly name: string
  /** Where commander puts it: `limitsBatchBytesMax`. */
  readonly attribute: string
  /** For the help text: `SIZE`; a switch may be given without its value. */
  readonly valueName: string
  readonly isSwitch: boolean
  /** May be given several times: the values are handed over as an array. */
  readonly repeats: boolean
  readonly description: string
  readonly environment: string
  /** As in the help text; undefined where the default is to have none. */
  readonly defaultText: string | undefined
}

export function configFlags(): readonly ConfigFlag[] {
  return configPaths.map((path) => {
    const { type, description } = configKeys[path]
    return {
      path,
      name: flagName(path),
      attribute: flagAttribute(path),
      valueName: valueNameOf(type),
      isSwitch: type.kind === 'switch',
      repeats: type.kind === 'listen' || type.kind === 'list',
      description,
      environment: environmentName(path),
      defaultText: defaultText(path),
    }
  })
}

/** The default as a user would write it, or undefined where it is to have none. */
export function defaultText(path: ConfigPath): string | undefined {
  const standard = configKeys[path].default
  if (standard === null || (Array.isArray(standard) && standard.length === 0)) return undefined
  return String(standard)
}

export function valueNameOf(type: KeyType): string {
  switch (type.kind) {
    case 'text':
      return 'PATH'
    case 'switch':
      return 'true|false'
    case 'choice':
      return type.of.join('|')
    case 'bytes':
      return 'SIZE'
    case 'duration':
      return 'DURATION'
    case 'count':
      return 'N'
    case 'list':
      return 'ITEM,...'
    case 'address':
      return 'HOST:PORT'
    case 'listen':
      return 'DOOR=HOST:PORT'
    default:
      return unreachable(type)
  }
}
