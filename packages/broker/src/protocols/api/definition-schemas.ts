/** Topics, queues and subscriptions as JSON: their settings, what is told of them, and lists of them. */
import type { RetryPolicy } from '@millrace/wire'
import type {
  DedupPolicy,
  DeliveryPolicy,
  QueueLimits,
  QueueSpec,
  Retention,
  SubscriptionChange,
  SubscriptionSpec,
  TopicSpec,
} from '../../core/broker.ts'
import { PRIORITIES_MAX } from '../../core/priorities/limits.ts'
import { type ObjectSchema, type Typed, typed } from './json-schema.ts'
import { count, name, next, startPosition } from './schemas.ts'

const retention: Typed<Retention> = typed({
  type: 'object',
  description: 'What exceeds any of these is dropped, oldest first. Absent means no limit.',
  properties: {
    ms: { type: 'integer', minimum: 1 },
    bytes: { type: 'integer', minimum: 1 },
    records: { type: 'integer', minimum: 1 },
  },
  additionalProperties: false,
})

const maxAttempts = {
  type: 'integer',
  minimum: 1,
  description: 'Deliveries before a message is dead-lettered.',
} as const
const backoff = {
  type: 'object',
  description: 'How long a message waits that was nacked without a delay, or whose lease ran out. Default: not at all.',
  properties: {
    kind: { type: 'string', enum: ['fixed', 'exponential'] },
    initialMs: { type: 'integer', minimum: 1, description: 'After the first attempt.' },
    maxMs: { type: 'integer', minimum: 1 },
    factor: { type: 'number', minimum: 1, maximum: 100, description: 'Longer after each attempt. Default 2.' },
    jitter: { type: 'number', minimum: 0, maximum: 1, description: 'Share that chance may take off. Default 0.' },
  },
  required: ['kind', 'initialMs'],
  additionalProperties: false,
} as const

export const retryPolicy: Typed<RetryPolicy> = typed({
  type: 'object',
  description:
    'How often and after which waits the message is delivered again; counts more than what the queue or subscription says. Stored as the header `millrace-retry`.',
  properties: {
    maxAttempts,
    backoff: { ...backoff, description: 'How long it waits that was nacked without a delay, or whose lease ran out.' },
  },
  additionalProperties: false,
})

export const deliveryPolicy: Typed<DeliveryPolicy> = typed({
  type: 'object',
  description: 'How messages are handed out and what happens to those that fail.',
  properties: {
    leaseMs: {
      type: 'integer',
      minimum: 1,
      description: 'A delivery that is not settled for so long goes to another consumer. Default 60,000.',
    },
    maxAttempts: { ...maxAttempts, description: `${maxAttempts.description} Default: no limit.` },
    deadLetter: {
      type: 'string',
      minLength: 1,
      maxLength: 1100,
      description: '`queue:NAME`, `topic:NAME` or `exchange:NAME[/KEY]`.',
    },
    deadLetterContent: {
      type: 'string',
      enum: ['copy', 'headers'],
      description:
        '`headers`: a dead letter of a subscription has headers that tell of the death, and nothing of the message. Default `copy`.',
    },
    deadLetterHeaders: {
      type: 'object',
      description: 'More headers of dead letters, by name, and what they tell.',
      properties: {},
      additionalProperties: { type: 'string', enum: ['origin', 'subscription', 'partition', 'offset', 'attempts', 'reason'] },
    },
    backoff,
    order: {
      type: 'string',
      enum: ['none', 'key', 'strict'],
      description:
        '`key`: of the messages with one key one at a time is with a consumer, in order. `strict`: one consumer, and nothing overtakes a message that waits. Cannot be changed.',
    },
    consumers: {
      type: 'string',
      enum: ['shared', 'single'],
      description: '`single`: one consumer gets everything, the others take over when it leaves.',
    },
    ratePerSecond: { type: 'number', minimum: 0.001, description: 'Messages per second that are handed out at most.' },
    paused: { type: 'boolean', description: 'Nothing is handed out.' },
    filter: {
      type: 'string',
      minLength: 1,
      maxLength: 16_384,
      description: 'Selector; only messages that it matches are delivered. For subscriptions. Cannot be changed.',
    },
    ttlMs: {
      type: 'integer',
      minimum: 1,
      description: 'Messages whose timestamp is so long ago expire: to the dead letters, or dropped. Default: no limit.',
    },
  },
  additionalProperties: false,
})

const partitions = { type: 'integer', minimum: 1, description: 'Default 1; can only grow.' } as const
const cleanup = {
  type: 'string',
  enum: ['delete', 'compact', 'compact,delete'],
  description:
    '`delete` (default) drops old records by `retention`; `compact` keeps the last record of every key, and `retention` does not count; `compact,delete` does both.',
} as const
const batchBytesMax = {
  type: 'integer',
  minimum: 0,
  description: 'Largest record batch, and so the largest message. 0, like the default: that of the broker, which is the most.',
} as const

const dedup: Typed<DedupPolicy> = typed({
  type: 'object',
  description: 'Messages with the same `message-id` header count as published once.',
  properties: {
    windowMs: { type: 'integer', minimum: 0, description: 'For how long after the first one. 0: dedup is off.' },
    entriesMax: {
      type: 'integer',
      minimum: 1,
      description: 'Ids that are remembered at most; beyond, the oldest are forgotten early. Default 1,000,000.',
    },
  },
  required: ['windowMs'],
  additionalProperties: false,
})

const labels = {
  type: 'object',
  description: 'What applications keep with it: any JSON, at most 16 KiB. `{}` in an update takes them away.',
  properties: {},
  additionalProperties: {},
} as const

export const topicSpec: Typed<TopicSpec, ObjectSchema> = typed({
  type: 'object',
  properties: { name, partitions, retention, cleanup, batchBytesMax, dedup, labels },
  required: ['name'],
  additionalProperties: false,
})

const topicChange: Typed<Partial<Omit<TopicSpec, 'name'>>> = typed({
  type: 'object',
  properties: { partitions, retention, cleanup, batchBytesMax, dedup, labels },
  additionalProperties: false,
})

const limits: Typed<QueueLimits> = typed({
  type: 'object',
  description: 'How much the queue may hold, about. `{}` in an update takes the limits away.',
  properties: {
    messages: { type: 'integer', minimum: 0, description: 'Messages that are not settled.' },
    bytes: { type: 'integer', minimum: 0, description: 'Bytes that they take on disk.' },
    overflow: {
      type: 'string',
      enum: ['reject', 'drop-head', 'dead-letter', 'reject-dead-letter'],
      description:
        'What is too much is refused (default), or the oldest are dropped, or go to the dead letters; `reject-dead-letter`: it is refused and goes to the dead letters.',
    },
  },
  additionalProperties: false,
})

const expireMs = {
  type: 'integer',
  minimum: 0,
  description: 'The queue is deleted when nobody has consumed from it or created it again for so long. Default, and 0: never.',
} as const

const durable = {
  type: 'boolean',
  description: 'false: the queue is deleted with its messages when the broker starts again. Default true.',
} as const

const autoDelete = {
  type: 'boolean',
  description:
    'The queue is deleted when its last consumer leaves; not before it had one. Requests that receive do not count. Default false.',
} as const

const priorities = {
  type: 'integer',
  minimum: 1,
  maximum: PRIORITIES_MAX,
  description:
    'How many levels of priority the queue has. With more than one, consumers get messages with a higher header `priority` first. Can only grow. Default 1.',
} as const

export const queueSpec: Typed<QueueSpec, ObjectSchema> = typed({
  type: 'object',
  properties: { name, priorities, delivery: deliveryPolicy, expireMs, dedup, limits, durable, autoDelete, labels },
  required: ['name'],
  additionalProperties: false,
})

const queueChange: Typed<Partial<Omit<QueueSpec, 'name'>>> = typed({
  type: 'object',
  properties: { priorities, delivery: deliveryPolicy, expireMs, limits, dedup, durable, autoDelete, labels },
  additionalProperties: false,
})

const subscriptionChange: Typed<SubscriptionChange> = typed({
  type: 'object',
  properties: { delivery: deliveryPolicy },
  additionalProperties: false,
})

export const subscriptionSpec: Typed<SubscriptionSpec, ObjectSchema> = typed({
  type: 'object',
  properties: { topic: name, name, from: startPosition, delivery: deliveryPolicy },
  required: ['topic', 'name'],
  additionalProperties: false,
})

const idleMs = {
  ...count,
  description: 'Milliseconds since something was published to it, delivered or settled, or since the broker started.',
} as const
const scheduled = { ...count, description: 'Messages that wait for their time to be published into it.' } as const

export const topicInfo: ObjectSchema = {
  type: 'object',
  properties: {
    name,
    partitions,
    retention,
    cleanup,
    dedup,
    labels,
    partitionInfo: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          start: { ...count, description: 'First offset that is kept.' },
          end: { ...count, description: 'One past the last offset.' },
          bytes: count,
        },
        required: ['start', 'end', 'bytes'],
        additionalProperties: false,
      },
    },
    subscriptions: { type: 'array', items: name },
    scheduled,
  },
  required: ['name', 'partitions', 'retention', 'cleanup', 'partitionInfo', 'subscriptions', 'scheduled'],
  additionalProperties: false,
}

const deliveryInfo = {
  delivery: deliveryPolicy,
  ready: { ...count, description: 'Messages that wait for a consumer.' },
  inFlight: { ...count, description: 'Messages that a consumer holds.' },
  bytes: { ...count, description: 'Bytes of the stored batches behind them.' },
  consumers: count,
  oldestTimestampMs: { type: 'integer', description: 'Of the oldest message that is not acked; absent when there is none.' },
  counters: {
    type: 'object',
    properties: {
      published: count,
      delivered: count,
      acked: count,
      redelivered: count,
      deadLettered: count,
      dropped: { ...count, description: 'Expired, purged, too much, or failed for good where there are no dead letters.' },
    },
    required: ['published', 'delivered', 'acked', 'redelivered', 'deadLettered', 'dropped'],
    additionalProperties: false,
  },
} as const

const levels = {
  type: 'array',
  description: 'The levels of priority that were used, the highest first; absent without priorities.',
  items: {
    type: 'object',
    properties: { priority: count, ready: count, inFlight: count },
    required: ['priority', 'ready', 'inFlight'],
    additionalProperties: false,
  },
} as const

export const queueInfo: ObjectSchema = {
  type: 'object',
  properties: {
    name,
    priorities,
    levels,
    expireMs,
    limits,
    dedup,
    durable,
    autoDelete,
    labels,
    scheduled,
    idleMs,
    ...deliveryInfo,
  },
  required: [
    'name',
    'durable',
    'autoDelete',
    'scheduled',
    'idleMs',
    'delivery',
    'ready',
    'inFlight',
    'bytes',
    'consumers',
    'counters',
  ],
  additionalProperties: false,
}

export const subscriptionInfo: ObjectSchema = {
  type: 'object',
  properties: { topic: name, name, ...deliveryInfo },
  required: ['topic', 'name', 'delivery', 'ready', 'inFlight', 'bytes', 'consumers', 'counters'],
  additionalProperties: false,
}

export const topicList: ObjectSchema = {
  type: 'object',
  properties: { items: { type: 'array', items: topicInfo }, next },
  required: ['items'],
  additionalProperties: false,
}

export const queueList: ObjectSchema = {
  type: 'object',
  properties: { items: { type: 'array', items: queueInfo }, next },
  required: ['items'],
  additionalProperties: false,
}

export const subscriptionList: ObjectSchema = {
  type: 'object',
  properties: { items: { type: 'array', items: subscriptionInfo }, next },
  required: ['items'],
  additionalProperties: false,
}

export const topicUpdateParams: Typed<{ readonly name: string; readonly change: Partial<Omit<TopicSpec, 'name'>> }> = typed({
  type: 'object',
  properties: { name, change: topicChange },
  required: ['name', 'change'],
  additionalProperties: false,
})

export const queueUpdateParams: Typed<{ readonly name: string; readonly change: Partial<Omit<QueueSpec, 'name'>> }> = typed({
  type: 'object',
  properties: { name, change: queueChange },
  required: ['name', 'change'],
  additionalProperties: false,
})

export const subscriptionUpdateParams: Typed<{
  readonly topic: string
  readonly name: string
  readonly change: SubscriptionChange
}> = typed({
  type: 'object',
  properties: { topic: name, name, change: subscriptionChange },
  required: ['topic', 'name', 'change'],
  additionalProperties: false,
})
