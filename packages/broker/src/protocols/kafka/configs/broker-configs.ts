import type { BrokerLimits } from '../../../core/broker.ts'
import { NODE_ID } from '../limits.ts'
import { type ConfigType, configTypes, topicConfigKeys } from './config-keys.ts'
import type { DescribedConfig } from './topic-configs.ts'

/** From the configuration with which the broker was started. */
const STATIC_SOURCE = 4

/** What tools ask of a broker. None of it can be changed through this protocol. */
export function describeBrokerConfigs(limits: BrokerLimits): readonly DescribedConfig[] {
  const own: [string, ConfigType, string][] = [
    ['broker.id', 'INT', String(NODE_ID)],
    ['node.id', 'INT', String(NODE_ID)],
    ['default.replication.factor', 'INT', '1'],
    ['num.partitions', 'INT', '1'],
    ['offsets.topic.replication.factor', 'INT', '1'],
    ['transaction.state.log.replication.factor', 'INT', '1'],
    ['message.max.bytes', 'INT', String(limits.batchBytesMax)],
  ]
  const known = new Set(own.map(([name]) => name))
  const ofTopics = Object.values(topicConfigKeys)
    .filter(({ synonym }) => !known.has(synonym))
    .map(({ synonym, type, default: value }): [string, ConfigType, string] => [synonym, type, value])
  return [...own, ...ofTopics].map(([name, type, value]) => ({
    name,
    value,
    readOnly: true,
    configSource: STATIC_SOURCE,
    isSensitive: false,
    synonyms: [{ name, value, source: STATIC_SOURCE }],
    configType: configTypes[type],
    documentation: '',
  }))
}
