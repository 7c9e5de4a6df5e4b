/**
 * JSON shapes of the API, shared by the native protocol's calls and by HTTP. Plain JSON Schema: usable in an OpenAPI 3.1
 * document as they are. Those of parameters carry the façade's TypeScript type, and the compiler checks that both agree.
 */
import type { ProducerIdentity, StartPosition } from '../../core/broker.ts'
import { type ObjectSchema, type Typed, typed } from './json-schema.ts'
import { messageSchema } from './message-json.ts'

export interface ListParams {
  readonly prefix?: string
  readonly after?: string
  readonly limit?: number
}

export interface PeekParams {
  readonly source: string
  readonly partition?: number
  readonly from?: StartPosition
  /** `next` of the page before. */
  readonly after?: string
  readonly max?: number
  readonly filter?: string
}

export const name = {
  type: 'string',
  minLength: 1,
  maxLength: 255,
  description: 'A name: of a queue any text without control characters, else letters, digits, `.`, `_`, `-`.',
} as const
export const count = { type: 'integer', minimum: 0 } as const

export const startPosition: Typed<StartPosition> = typed({
  anyOf: [
    { type: 'string', enum: ['earliest', 'latest'] },
    {
      type: 'object',
      properties: { offset: { type: 'integer', minimum: 0 } },
      required: ['offset'],
      additionalProperties: false,
    },
    {
      type: 'object',
      properties: { timestampMs: { type: 'integer', minimum: 0 } },
      required: ['timestampMs'],
      additionalProperties: false,
    },
  ],
  description: 'Where reading begins.',
})

export const producerIdentity: Typed<ProducerIdentity> = typed({
  type: 'object',
  properties: { producerId: count, epoch: { type: 'integer', minimum: 0, maximum: 32_767 } },
  required: ['producerId', 'epoch'],
  additionalProperties: false,
})

export const producerOpenParams: Typed<{
  readonly destination: string
  readonly name: string
  readonly current?: ProducerIdentity
}> = typed({
  type: 'object',
  properties: {
    destination: { type: 'string', minLength: 1, maxLength: 1100, description: '`queue:NAME` or `topic:NAME`.' },
    name: { type: 'string', minLength: 1, maxLength: 255, description: 'Of the producer, for this destination.' },
    current: producerIdentity,
  },
  required: ['destination', 'name'],
  additionalProperties: false,
})

export const named: Typed<{ readonly name: string }> = typed({
  type: 'object',
  properties: { name },
  required: ['name'],
  additionalProperties: false,
})

export const subscriptionNamed: Typed<{ readonly topic: string; readonly name: string }> = typed({
  type: 'object',
  properties: { topic: name, name },
  required: ['topic', 'name'],
  additionalProperties: false,
})

const LIST_MAX = 10_000
const page = {
  prefix: { type: 'string', maxLength: 255, description: 'Only names that begin with this.' },
  after: { type: 'string', maxLength: 600, description: 'Continue after this entry: the `next` of the page before.' },
  limit: { type: 'integer', minimum: 1, maximum: LIST_MAX, description: 'Entries per page. Default 1,000.' },
} as const
export const next = { type: 'string', description: 'Pass it as `after` to get the rest; absent on the last page.' } as const

/** Lists are sorted by name. */
export const listParams: Typed<ListParams, ObjectSchema> = typed({
  type: 'object',
  properties: page,
  additionalProperties: false,
})

export const subscriptionListParams: Typed<ListParams & { readonly topic?: string }, ObjectSchema> = typed({
  type: 'object',
  properties: { ...page, topic: name },
  additionalProperties: false,
})

export const PEEK_MAX = 1000
export const positionsAfter = {
  type: 'string',
  maxLength: 32_768,
  description: 'Continue after the page before, whose `next` this is. What it does not name begins at `from`.',
} as const
export const readFilter = {
  type: 'string',
  minLength: 1,
  maxLength: 16_384,
  description: 'Selector: only messages that it matches.',
} as const
export const peekParams: Typed<PeekParams> = typed({
  type: 'object',
  properties: {
    source: { type: 'string', minLength: 1, maxLength: 1100, description: '`queue:NAME` or `topic:NAME`.' },
    partition: { type: 'integer', minimum: 0, description: 'Default: all. Of a queue with priorities: the level.' },
    from: startPosition,
    after: positionsAfter,
    max: { type: 'integer', minimum: 1, maximum: PEEK_MAX, description: 'Default 10.' },
    filter: readFilter,
  },
  required: ['source'],
  additionalProperties: false,
})

export const messageList: object = {
  type: 'object',
  properties: {
    messages: { type: 'array', items: messageSchema },
    next: { type: 'string', description: 'There may be more: pass it as `after`. Absent when everything was looked at.' },
  },
  required: ['messages'],
}

export const scheduledParams: Typed<{ readonly id: number }> = typed({
  type: 'object',
  properties: {
    id: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: '`scheduled` of the receipt.' },
  },
  required: ['id'],
  additionalProperties: false,
})

export const scheduledCancelled: ObjectSchema = {
  type: 'object',
  properties: {
    cancelled: {
      type: 'boolean',
      description: 'Whether it was still waiting: then it is never delivered. Otherwise it was published, or cancelled before.',
    },
  },
  required: ['cancelled'],
  additionalProperties: false,
}

export const nothing: Typed<object> = typed({ type: 'object', properties: {}, additionalProperties: false })

export const brokerStatus: ObjectSchema = {
  type: 'object',
  properties: {
    version: { type: 'string' },
    pid: { type: 'integer' },
    uptimeMs: count,
    engine: { type: 'string' },
    durability: { type: 'string' },
    listeners: { type: 'object', properties: {}, additionalProperties: { type: 'string' } },
  },
  required: ['version', 'pid', 'uptimeMs', 'engine', 'durability', 'listeners'],
  additionalProperties: false,
}

/** RFC 9457. `code` is one of docs/errors.md. */
export const problem: ObjectSchema = {
  type: 'object',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
  },
  required: ['type', 'title', 'status', 'code'],
  additionalProperties: false,
}
