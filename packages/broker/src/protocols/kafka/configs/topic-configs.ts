/** A topic's settings as Kafka's configuration keys, and back. */
import { unreachable } from '../../../base/assert.ts'
import type { BrokerLimits, Cleanup, Retention } from '../../../core/broker.ts'
import { errors, KafkaError } from '../errors.ts'
import { type ConfigType, configTypes, topicConfigKeys } from './config-keys.ts'

/** What of a topic's settings its keys are about. */
export interface TopicSettings {
  readonly retention?: Retention
  readonly cleanup?: Cleanup
  /** 0: that of the broker. */
  readonly batchBytesMax?: number | undefined
}

type CheckedSettings = { readonly [Key in keyof TopicSettings]-?: Exclude<TopicSettings[Key], undefined> }

export interface NamedValue {
  readonly name: string
  /** null: the default. */
  readonly value: string | null
}

/** Where a value comes from, as the protocol numbers it. */
const TOPIC_SOURCE = 1
const DEFAULT_SOURCE = 5

export interface DescribedConfig {
  readonly name: string
  readonly value: string
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
  readonly synonyms: readonly { readonly name: string; readonly value: string; readonly source: number }[]
  readonly configType: number
  readonly documentation: string
}

/** Every key that clients know, with its value. */
export function describeTopicConfigs(settings: TopicSettings, limits: BrokerLimits): readonly DescribedConfig[] {
  return Object.entries(topicConfigKeys).map(([name, key]) => {
    const fallback = defaultOf(name, limits)
    const own = ownValue(name, settings)
    const synonyms = [{ name: key.synonym, value: fallback, source: DEFAULT_SOURCE }]
    return {
      name,
      value: own ?? fallback,
      readOnly: key.kind === 'fixed',
      configSource: own === undefined ? DEFAULT_SOURCE : TOPIC_SOURCE,
      isSensitive: false,
      synonyms: own === undefined ? synonyms : [{ name, value: own, source: TOPIC_SOURCE }, ...synonyms],
      configType: configTypes[key.type],
      documentation: key.documentation,
    }
  })
}

/**
 * @param base what the values that are not named are
 * @throws KafkaError INVALID_CONFIG
 */
export function settingsFrom(base: TopicSettings, values: readonly NamedValue[], limits: BrokerLimits): CheckedSettings {
  const retention: { ms?: number; bytes?: number; records?: number } = { ...base.retention }
  let cleanup = base.cleanup ?? 'delete'
  let batchBytesMax = base.batchBytesMax ?? 0
  for (const { name, value } of values) {
    const text = value ?? defaultOf(name, limits)
    switch (name) {
      case 'cleanup.policy':
        cleanup = cleanupFrom(text)
        break
      case 'max.message.bytes':
        batchBytesMax = value === null ? 0 : batchBytesFrom(text, limits)
        break
      case 'retention.ms':
        setLimit(retention, 'ms', name, text)
        break
      case 'retention.bytes':
        setLimit(retention, 'bytes', name, text)
        break
      default:
        checkOther(name, text, limits)
    }
  }
  return { retention, cleanup, batchBytesMax }
}

/** The value that a list has with something appended, or taken away. @throws KafkaError INVALID_CONFIG */
export function changedList(name: string, settings: TopicSettings, value: string | null, append: boolean): string {
  const key = topicConfigKeys[name]
  if (key?.type !== 'LIST') throw invalid(`${name} is no list: it can be set, and not appended to`)
  const now = items(ownValue(name, settings) ?? key.default)
  const change = items(value ?? '')
  const result = append ? [...new Set([...now, ...change])] : now.filter((item) => !change.includes(item))
  return result.join(',')
}

function ownValue(name: string, { retention, cleanup, batchBytesMax }: TopicSettings): string | undefined {
  switch (name) {
    case 'cleanup.policy':
      return cleanup === 'delete' ? undefined : cleanup
    case 'max.message.bytes':
      return batchBytesMax === 0 ? undefined : batchBytesMax?.toString()
    case 'retention.ms':
      return retention?.ms?.toString()
    case 'retention.bytes':
      return retention?.bytes?.toString()
    default:
      return undefined
  }
}

/** @throws KafkaError INVALID_CONFIG for a key that nobody knows */
function defaultOf(name: string, limits: BrokerLimits): string {
  if (name === 'max.message.bytes') return String(limits.batchBytesMax)
  const key = topicConfigKeys[name]
  if (key === undefined) throw invalid(`there is no configuration ${name}`)
  return key.default
}

function cleanupFrom(text: string): Cleanup {
  const [first, second, ...more] = [...new Set(items(text))].toSorted()
  if (more.length === 0 && first === 'compact') {
    if (second === undefined) return first
    if (second === 'delete') return 'compact,delete'
  }
  if (first === 'delete' && second === undefined) return first
  throw invalid(`cleanup.policy is delete, compact, or compact,delete, not ${JSON.stringify(text)}`)
}

function batchBytesFrom(text: string, { batchBytesMax }: BrokerLimits): number {
  const bytes = Number(text)
  if (/^\d+$/.test(text) && bytes >= 1 && bytes <= batchBytesMax) return bytes
  const most = `${batchBytesMax} on this broker, by its setting limits.batchBytesMax`
  throw invalid(`max.message.bytes is a whole number from 1 to ${most}, and not ${JSON.stringify(text)}`)
}

function setLimit(retention: { ms?: number; bytes?: number }, which: 'ms' | 'bytes', name: string, text: string): void {
  const value = Number(text)
  if (!/^-?\d+$/.test(text) || value < -1)
    throw invalid(`${name} is a whole number, or -1 for no limit, not ${JSON.stringify(text)}`)
  // What is dropped at once is dropped after a moment.
  if (value === -1 || value > Number.MAX_SAFE_INTEGER) delete retention[which]
  else retention[which] = Math.max(1, value)
}

function checkOther(name: string, text: string, limits: BrokerLimits): void {
  const fallback = defaultOf(name, limits)
  const { type, kind } = topicConfigKeys[name]!
  if (!isOfType(type, text)) throw invalid(`${name} is of the type ${type}, which ${JSON.stringify(text)} is not`)
  if (kind === 'tuning' || text === fallback) return
  throw invalid(`${name} is ${fallback} on this broker, and cannot be ${text}`)
}

function isOfType(type: ConfigType, text: string): boolean {
  switch (type) {
    case 'BOOLEAN':
      return text === 'true' || text === 'false'
    case 'INT':
    case 'LONG':
      return /^-?\d+$/.test(text)
    case 'DOUBLE':
      return text !== '' && Number.isFinite(Number(text))
    case 'STRING':
    case 'LIST':
      return true
    default:
      return unreachable(type)
  }
}

function items(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function invalid(message: string): KafkaError {
  return new KafkaError(errors.INVALID_CONFIG, message)
}
