/** JSON shapes of consumer groups. */
import type { OffsetReset } from '../../core/groups/consumer-groups.ts'
import { type ObjectSchema, type Typed, typed } from './json-schema.ts'
import { startPosition } from './schemas.ts'

const count = { type: 'integer', minimum: 0 } as const
const text = { type: 'string' } as const
const name = { type: 'string', minLength: 1, maxLength: 1024, description: 'Name of the group.' } as const
const topic = { type: 'string', minLength: 1, maxLength: 255, description: 'Name of the topic.' } as const

export const groupNamed: Typed<{ readonly name: string }> = typed({
  type: 'object',
  properties: { name },
  required: ['name'],
  additionalProperties: false,
})

export const groupResetParams: Typed<OffsetReset & { readonly name: string }, ObjectSchema> = typed({
  type: 'object',
  properties: {
    name,
    topic,
    partitions: { type: 'array', items: count, maxItems: 100_000, description: 'Default: all.' },
    to: startPosition,
  },
  required: ['name', 'topic', 'to'],
  additionalProperties: false,
})

const summary = {
  name,
  type: {
    type: 'string',
    enum: ['classic', 'consumer'],
    description: '`classic`: its members agree among themselves who reads what. `consumer`: the broker assigns.',
  },
  state: {
    type: 'string',
    enum: ['empty', 'stable', 'preparing-rebalance', 'completing-rebalance', 'assigning', 'reconciling'],
  },
  protocolType: { ...text, description: 'Empty for a group that has offsets only.' },
  lag: { ...count, description: 'Messages that it has not read yet, as far as offsets tell.' },
} as const

const groupPartition: ObjectSchema = {
  type: 'object',
  properties: {
    topic,
    partition: count,
    offset: { ...count, description: 'Committed: that of the next message to read.' },
    start: { ...count, description: 'First offset that is kept.' },
    end: { ...count, description: 'One past the last offset.' },
    lag: count,
    metadata: { ...text, description: 'What was committed with the offset.' },
  },
  required: ['topic', 'partition', 'offset', 'start', 'end', 'lag', 'metadata'],
  additionalProperties: false,
}

const assigned = {
  type: 'array',
  description: 'What it reads, where the broker assigns it.',
  items: {
    type: 'object',
    properties: { topic, partitions: { type: 'array', items: count } },
    required: ['topic', 'partitions'],
    additionalProperties: false,
  },
} as const

export const groupInfo: ObjectSchema = {
  type: 'object',
  properties: {
    ...summary,
    protocol: { ...text, description: 'What the members agreed on, or the assignor.' },
    generation: { ...count, description: 'Rises whenever it is shared out anew who reads what.' },
    members: {
      type: 'array',
      items: {
        type: 'object',
        properties: { memberId: text, instanceId: text, clientId: text, clientHost: text, assigned },
        required: ['memberId', 'clientId', 'clientHost'],
        additionalProperties: false,
      },
    },
    partitions: { type: 'array', items: groupPartition },
  },
  required: ['name', 'type', 'state', 'protocolType', 'lag', 'protocol', 'generation', 'members', 'partitions'],
  additionalProperties: false,
}

export const groupPartitions: ObjectSchema = {
  type: 'object',
  properties: { partitions: { type: 'array', items: groupPartition } },
  required: ['partitions'],
  additionalProperties: false,
}

export const groupList: ObjectSchema = {
  type: 'object',
  properties: {
    items: {
      type: 'array',
      items: {
        type: 'object',
        properties: { ...summary, members: count },
        required: ['name', 'type', 'state', 'protocolType', 'members', 'lag'],
        additionalProperties: false,
      },
    },
    next: { type: 'string', description: 'Pass it as `after` to get the rest; absent on the last page.' },
  },
  required: ['items'],
  additionalProperties: false,
}
