/** The settings of a share group as Kafka's configuration keys (KIP-932, KIP-1191), and back. */
import type { DeliveryPolicy, SubscriptionGroupSettings } from '../../../core/broker.ts'
import { errors, KafkaError } from '../errors.ts'
import { sharePolicy } from '../shares/share-policy.ts'
import { type ConfigType, configTypes } from './config-keys.ts'
import { durationMs } from './iso-duration.ts'
import type { DescribedConfig, NamedValue } from './topic-configs.ts'

/** Where a value comes from, as the protocol numbers it. */
const GROUP_SOURCE = 8
const DEFAULT_SOURCE = 5

const TOPIC = 'topic:'
const BY_DURATION = 'by_duration:'

type Draft = { -readonly [K in keyof SubscriptionGroupSettings]: SubscriptionGroupSettings[K] }

interface GroupConfigKey {
  readonly type: ConfigType
  readonly default: string
  readonly documentation: string
  /** Its value in the settings; undefined for the default. Absent for what is only kept and shown, or cannot be changed. */
  readonly read?: (settings: SubscriptionGroupSettings) => string | undefined
  /** @throws KafkaError INVALID_CONFIG */
  readonly write?: (settings: Draft, value: string) => void
  /** Other values than the default that it may have, where it is only kept. */
  readonly kept?: readonly string[] | RegExp
}

/** What KIP-1191 has in a dead letter. */
const deadLetterHeaders: NonNullable<DeliveryPolicy['deadLetterHeaders']> = {
  '__dlq.errors.topic': 'origin',
  '__dlq.errors.partition': 'partition',
  '__dlq.errors.offset': 'offset',
  '__dlq.errors.group': 'subscription',
  '__dlq.errors.delivery.count': 'attempts',
  '__dlq.errors.message': 'reason',
}

const KEPT = 'Kept, and without effect on this broker.'
const FIXED = 'Cannot be changed on this broker.'

export const groupConfigKeys: Readonly<Record<string, GroupConfigKey>> = {
  'share.auto.offset.reset': {
    type: 'STRING',
    default: 'latest',
    documentation: 'Where the group begins in a topic that is new to it: `earliest`, `latest`, `by_duration:PnDTnHnMn.nS`.',
    read: ({ labels }) => labels?.['share.auto.offset.reset'],
    write: (settings, value) => {
      settings.from = placeFrom(value)
      settings.labels = { ...settings.labels, 'share.auto.offset.reset': value }
    },
  },
  'share.record.lock.duration.ms': {
    type: 'INT',
    default: String(sharePolicy.leaseMs),
    documentation: 'Milliseconds for which a member holds a record: the lease of the subscriptions.',
    read: ({ delivery }) => text(delivery?.leaseMs),
    write: (settings, value) => {
      settings.delivery = { ...settings.delivery, leaseMs: whole('share.record.lock.duration.ms', value, 1000, 3_600_000) }
    },
  },
  'share.delivery.count.limit': {
    type: 'INT',
    default: String(sharePolicy.maxAttempts),
    documentation: 'Deliveries of a record before it goes to the dead letters, or is done.',
    read: ({ delivery }) => text(delivery?.maxAttempts),
    write: (settings, value) => {
      settings.delivery = { ...settings.delivery, maxAttempts: whole('share.delivery.count.limit', value, 1, 100) }
    },
  },
  'errors.deadletterqueue.topic.name': {
    type: 'STRING',
    default: '',
    documentation: 'The topic to which records go that were rejected, or delivered too often. It is created if that is allowed.',
    read: ({ delivery }) => delivery?.deadLetter?.slice(TOPIC.length),
    write: (settings, value) => {
      if (value.startsWith('__'))
        throw invalid('errors.deadletterqueue.topic.name', 'a topic whose name does not begin with __', value)
      settings.delivery = withDeadLetters(settings.delivery ?? {}, value)
    },
  },
  'errors.deadletterqueue.copy.record.enable': {
    type: 'BOOLEAN',
    default: 'false',
    documentation: 'Whether a dead letter has key, value and headers of its record, or only headers that tell where that is.',
    read: ({ delivery }) => text(delivery?.deadLetterContent && delivery.deadLetterContent === 'copy'),
    write: (settings, value) => {
      if (value !== 'true' && value !== 'false')
        throw invalid('errors.deadletterqueue.copy.record.enable', 'true or false', value)
      settings.delivery = { ...settings.delivery, deadLetterContent: value === 'true' ? 'copy' : 'headers' }
    },
  },
  'share.isolation.level': {
    type: 'STRING',
    default: 'read_uncommitted',
    documentation: 'Both mean the same: what is not committed is in no partition.',
    kept: ['read_uncommitted', 'read_committed'],
  },
  'share.partition.max.record.locks': { type: 'INT', default: '2000', documentation: KEPT, kept: /^\d{1,9}$/ },
  'share.assignment.interval.ms': { type: 'INT', default: '1000', documentation: KEPT, kept: /^\d{1,9}$/ },
  'share.assignor.offload.enable': { type: 'BOOLEAN', default: 'false', documentation: KEPT, kept: ['true', 'false'] },
  'share.heartbeat.interval.ms': { type: 'INT', default: '5000', documentation: FIXED },
  'share.session.timeout.ms': { type: 'INT', default: '45000', documentation: FIXED },
  'share.renew.acknowledge.enable': { type: 'BOOLEAN', default: 'true', documentation: FIXED },
}

export function describeGroupConfigs(settings: SubscriptionGroupSettings | undefined): readonly DescribedConfig[] {
  return Object.entries(groupConfigKeys).map(([name, key]) => {
    const own = valueOf(name, key, settings ?? {})
    const isSet = own !== undefined && own !== key.default
    const fallback = { name: `group.${name}`, value: key.default, source: DEFAULT_SOURCE }
    return {
      name,
      value: own ?? key.default,
      readOnly: key.write === undefined && key.kept === undefined,
      configSource: isSet ? GROUP_SOURCE : DEFAULT_SOURCE,
      isSensitive: false,
      synonyms: isSet ? [{ name, value: own, source: GROUP_SOURCE }, fallback] : [fallback],
      configType: configTypes[key.type],
      documentation: key.documentation,
    }
  })
}

/**
 * @param base what the values that are not named are
 * @throws KafkaError INVALID_CONFIG
 */
export function groupSettingsFrom(
  base: SubscriptionGroupSettings | undefined,
  values: readonly NamedValue[],
): SubscriptionGroupSettings {
  const settings: Draft = { ...base, delivery: { ...sharePolicy, ...base?.delivery } }
  for (const { name, value } of values) {
    const key = groupConfigKeys[name]
    if (key === undefined) throw new KafkaError(errors.INVALID_CONFIG, `groups have no configuration ${name}`)
    const given = value ?? key.default
    if (key.write !== undefined) key.write(settings, given)
    else if (given === key.default) settings.labels = withoutLabel(settings.labels, name)
    else if (isKept(key, given)) settings.labels = { ...settings.labels, [name]: given }
    else throw invalid(name, key.kept === undefined ? key.default : 'another value', given)
  }
  return settings
}

function valueOf(name: string, { read }: GroupConfigKey, settings: SubscriptionGroupSettings): string | undefined {
  return read === undefined ? settings.labels?.[name] : read(settings)
}

function isKept({ kept }: GroupConfigKey, value: string): boolean {
  return kept instanceof RegExp ? kept.test(value) : kept?.includes(value) === true
}

function withoutLabel(labels: SubscriptionGroupSettings['labels'], name: string): Record<string, string> {
  const { [name]: _, ...others } = labels ?? {}
  return others
}

/** @throws KafkaError INVALID_CONFIG */
function placeFrom(value: string): NonNullable<SubscriptionGroupSettings['from']> {
  if (value === 'earliest' || value === 'latest') return value
  const ageMs = value.startsWith(BY_DURATION) ? durationMs(value.slice(BY_DURATION.length)) : undefined
  if (ageMs !== undefined) return { ageMs }
  throw invalid('share.auto.offset.reset', 'earliest, latest or by_duration:PnDTnHnMn.nS', value)
}

function withDeadLetters(policy: DeliveryPolicy, topic: string): DeliveryPolicy {
  const { deadLetter: _before, deadLetterHeaders: _names, ...others } = policy
  if (topic === '') return others
  return { deadLetterContent: 'headers', ...others, deadLetter: `${TOPIC}${topic}`, deadLetterHeaders }
}

function text(value: number | boolean | undefined): string | undefined {
  return value === undefined ? undefined : String(value)
}

function whole(name: string, value: string, min: number, max: number): number {
  const number = Number(value)
  if (/^\d{1,9}$/.test(value) && number >= min && number <= max) return number
  throw invalid(name, `a whole number from ${min} to ${max}`, value)
}

function invalid(name: string, wanted: string, value: string): KafkaError {
  return new KafkaError(errors.INVALID_CONFIG, `${name} is ${wanted}, not ${JSON.stringify(value)}`)
}
