/** Operations on quotas. */
import type { QuotaScope, QuotaSpec } from '../../core/broker.ts'
import { type ObjectSchema, type Typed, typed } from './json-schema.ts'
import { define, type Operation } from './operation.ts'
import { page } from './page.ts'
import { listParams, nothing } from './schemas.ts'

export type QuotaOperation = 'quota.list' | 'quota.set' | 'quota.remove'

const name = { type: 'string', minLength: 1, maxLength: 255 } as const
const scope = {
  user: { ...name, description: 'A user; `*` for each that has no other quota.' },
  clientId: { ...name, description: 'What a client calls itself; `*` for each that has no other quota.' },
} as const
const rate = { type: 'number', minimum: 1, description: 'Bytes per second.' } as const
const figures = {
  publishBytesPerSecond: rate,
  consumeBytesPerSecond: rate,
  requestPercent: {
    type: 'number',
    minimum: 0.01,
    description: "Per cent of the broker's time that requests of Kafka's clients may take.",
  },
  partitionChangesPerSecond: {
    type: 'number',
    minimum: 0.01,
    description: "Partitions per second that Kafka's clients may create and delete.",
  },
} as const

export const quotaScope: Typed<QuotaScope, ObjectSchema> = typed({
  type: 'object',
  properties: scope,
  additionalProperties: false,
})

export const quotaSpec: Typed<QuotaSpec, ObjectSchema> = typed({
  type: 'object',
  properties: { ...scope, ...figures },
  additionalProperties: false,
})

const quotaList: object = {
  type: 'object',
  properties: { items: { type: 'array', items: quotaSpec }, next: { type: 'string' } },
  required: ['items'],
}

const resource = (): string => 'broker'

export const quotaOperations: Readonly<Record<QuotaOperation, Operation>> = {
  'quota.list': define({
    summary: 'List quotas',
    action: 'describe',
    params: listParams,
    result: quotaList,
    resource,
    run: ({ broker }, params) =>
      page(broker.quotas.list(), ({ user = '', clientId = '' }) => JSON.stringify([user, clientId]), params),
  }),
  'quota.set': define({
    summary: 'Say how much a user or client may publish, consume and have done; replaces what was said before',
    action: 'define',
    params: quotaSpec,
    result: quotaSpec,
    resource,
    async run({ broker }, spec) {
      await broker.whenCommitted(broker.quotas.set(spec))
      return spec
    },
  }),
  'quota.remove': define({
    summary: 'Take a quota away',
    action: 'define',
    params: quotaScope,
    result: nothing,
    resource,
    async run({ broker }, which) {
      await broker.whenCommitted(broker.quotas.remove(which))
      return {}
    },
  }),
}
