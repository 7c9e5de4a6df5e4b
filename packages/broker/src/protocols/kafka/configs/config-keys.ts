/** Keys that Kafka's clients know of topics and brokers, with what they mean here. */

export type ConfigType = 'BOOLEAN' | 'STRING' | 'INT' | 'LONG' | 'DOUBLE' | 'LIST'

/** As the protocol numbers them. */
export const configTypes: Readonly<Record<ConfigType, number>> = { BOOLEAN: 1, STRING: 2, INT: 3, LONG: 5, DOUBLE: 6, LIST: 7 }

export interface TopicConfigKey {
  readonly type: ConfigType
  readonly default: string
  /** The broker's key for all topics, as Kafka names it. */
  readonly synonym: string
  /**
   * `setting`: means here what it means there. `fixed`: only the default can be. `tuning`: taken and without effect, for it is about
   * how Kafka keeps files, replicas and timers.
   */
  readonly kind: 'setting' | 'fixed' | 'tuning'
  readonly documentation: string
}

const LONG_MAX = '9223372036854775807'
const TUNING = 'Taken, and without effect on this broker.'
const FIXED = 'Cannot be changed on this broker.'

function tuning(type: ConfigType, fallback: string, synonym: string): TopicConfigKey {
  return { type, default: fallback, synonym, kind: 'tuning', documentation: TUNING }
}

function fixed(type: ConfigType, fallback: string, synonym: string): TopicConfigKey {
  return { type, default: fallback, synonym, kind: 'fixed', documentation: FIXED }
}

function setting(type: ConfigType, fallback: string, synonym: string, documentation: string): TopicConfigKey {
  return { type, default: fallback, synonym, kind: 'setting', documentation }
}

export const topicConfigKeys: Readonly<Record<string, TopicConfigKey>> = {
  'cleanup.policy': setting(
    'LIST',
    'delete',
    'log.cleanup.policy',
    '`delete` drops old records, `compact` keeps the last of each key; or both.',
  ),
  'compression.gzip.level': tuning('INT', '-1', 'compression.gzip.level'),
  'compression.lz4.level': tuning('INT', '9', 'compression.lz4.level'),
  'compression.type': fixed('STRING', 'producer', 'compression.type'),
  'compression.zstd.level': tuning('INT', '3', 'compression.zstd.level'),
  'delete.retention.ms': tuning('LONG', '86400000', 'log.cleaner.delete.retention.ms'),
  'errors.deadletterqueue.group.enable': tuning('BOOLEAN', 'false', 'errors.deadletterqueue.group.enable'),
  'file.delete.delay.ms': tuning('LONG', '60000', 'log.segment.delete.delay.ms'),
  'flush.messages': tuning('LONG', LONG_MAX, 'log.flush.interval.messages'),
  'flush.ms': tuning('LONG', LONG_MAX, 'log.flush.interval.ms'),
  'follower.replication.throttled.replicas': tuning('LIST', '', 'follower.replication.throttled.replicas'),
  'index.interval.bytes': tuning('INT', '4096', 'log.index.interval.bytes'),
  'leader.replication.throttled.replicas': tuning('LIST', '', 'leader.replication.throttled.replicas'),
  'local.retention.bytes': tuning('LONG', '-2', 'log.local.retention.bytes'),
  'local.retention.ms': tuning('LONG', '-2', 'log.local.retention.ms'),
  'max.compaction.lag.ms': tuning('LONG', LONG_MAX, 'log.cleaner.max.compaction.lag.ms'),
  'max.message.bytes': setting('INT', '', 'message.max.bytes', 'Largest record batch, at most that of the broker.'),
  'message.timestamp.after.max.ms': tuning('LONG', LONG_MAX, 'log.message.timestamp.after.max.ms'),
  'message.timestamp.before.max.ms': tuning('LONG', LONG_MAX, 'log.message.timestamp.before.max.ms'),
  'message.timestamp.type': fixed('STRING', 'CreateTime', 'log.message.timestamp.type'),
  'min.cleanable.dirty.ratio': tuning('DOUBLE', '0.5', 'log.cleaner.min.cleanable.ratio'),
  'min.compaction.lag.ms': tuning('LONG', '0', 'log.cleaner.min.compaction.lag.ms'),
  'min.insync.replicas': tuning('INT', '1', 'min.insync.replicas'),
  preallocate: tuning('BOOLEAN', 'false', 'log.preallocate'),
  'remote.storage.enable': fixed('BOOLEAN', 'false', 'remote.storage.enable'),
  'retention.bytes': setting('LONG', '-1', 'log.retention.bytes', 'Bytes that a partition keeps; -1 for no limit.'),
  'retention.ms': setting('LONG', '-1', 'log.retention.ms', 'Milliseconds that records are kept; -1 for no limit.'),
  'segment.bytes': tuning('INT', '1073741824', 'log.segment.bytes'),
  'segment.index.bytes': tuning('INT', '10485760', 'log.index.size.max.bytes'),
  'segment.jitter.ms': tuning('LONG', '0', 'log.roll.jitter.ms'),
  'segment.ms': tuning('LONG', '604800000', 'log.roll.ms'),
  'unclean.leader.election.enable': tuning('BOOLEAN', 'false', 'unclean.leader.election.enable'),
}
