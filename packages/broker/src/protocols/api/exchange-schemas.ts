/** JSON shapes of exchanges and bindings. */
import type { Binding, ExchangeSpec, HeadersMatch } from '../../core/broker.ts'
import { type ObjectSchema, type Typed, typed } from './json-schema.ts'
import { count, listParams, type ListParams, next } from './schemas.ts'

export const exchangeName = {
  type: 'string',
  minLength: 1,
  maxLength: 255,
  description: 'Any text of 1 to 255 bytes without control characters.',
} as const

const labels = {
  type: 'object',
  description: 'What applications keep with it: any JSON, at most 16 KiB.',
  properties: {},
  additionalProperties: {},
} as const

const settings = {
  type: {
    type: 'string',
    enum: ['direct', 'fanout', 'topic', 'headers', 'consistent-hash'],
    description: 'How it decides which bindings take a message: see docs/routing.md.',
  },
  durable: { type: 'boolean', description: 'false: it is gone, with its bindings, when the broker starts again. Default true.' },
  autoDelete: { type: 'boolean', description: 'It is deleted when its last binding goes. Default false.' },
  internal: { type: 'boolean', description: 'Only other exchanges may publish to it. Default false.' },
  alternate: {
    type: 'string',
    maxLength: 255,
    description: 'Exchange that gets what no binding takes; it need not exist. Empty: the default exchange.',
  },
  delayed: {
    type: 'boolean',
    description: 'Messages with a header `x-delay` wait so many milliseconds before they are routed. Default false.',
  },
  hashOn: {
    anyOf: [
      {
        type: 'object',
        properties: { header: { type: 'string', minLength: 1, maxLength: 255 } },
        required: ['header'],
        additionalProperties: false,
      },
      {
        type: 'object',
        properties: { property: { type: 'string', enum: ['message-id', 'correlation-id', 'timestamp'] } },
        required: ['property'],
        additionalProperties: false,
      },
    ],
    description: 'Of consistent-hash: what is hashed instead of the key.',
  },
  labels,
} as const

export const exchangeSpec: Typed<ExchangeSpec, ObjectSchema> = typed({
  type: 'object',
  properties: { name: exchangeName, ...settings },
  required: ['name', 'type'],
  additionalProperties: false,
})

export const exchangeInfo: ObjectSchema = {
  type: 'object',
  properties: {
    name: exchangeName,
    ...settings,
    counters: {
      type: 'object',
      description: 'Since the broker started.',
      properties: {
        in: { ...count, description: 'Messages that were published to it.' },
        out: { ...count, description: 'Messages that it gave to queues and topics.' },
        unroutable: { ...count, description: 'Messages that nothing took.' },
      },
      required: ['in', 'out', 'unroutable'],
      additionalProperties: false,
    },
  },
  required: ['name', 'type', 'durable', 'autoDelete', 'internal', 'counters'],
  additionalProperties: false,
}

export const exchangeList: object = {
  type: 'object',
  properties: { items: { type: 'array', items: exchangeInfo }, next },
  required: ['items'],
}

export const exchangeDeleteParams: Typed<{ readonly name: string; readonly ifUnused?: boolean }, ObjectSchema> = typed({
  type: 'object',
  properties: {
    name: exchangeName,
    ifUnused: { type: 'boolean', description: 'Only when it has no bindings.' },
  },
  required: ['name'],
  additionalProperties: false,
})

const match: Typed<HeadersMatch> = typed({
  type: 'object',
  description: 'For headers exchanges. Default: every message.',
  properties: {
    mode: {
      type: 'string',
      enum: ['all', 'any', 'all-with-x', 'any-with-x'],
      description: 'The `-with-x` modes look at headers whose name begins with `x-`, too.',
    },
    headers: {
      type: 'object',
      description: 'What a message must have; null: the header need only be there.',
      properties: {},
      additionalProperties: {
        anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }, { type: 'null' }],
      },
    },
  },
  required: ['mode', 'headers'],
  additionalProperties: false,
})

/** A binding as it is given: the key may be left out. */
export type GivenBinding = Omit<Binding, 'key'> & { readonly key?: string }

export const binding: Typed<GivenBinding, ObjectSchema> = typed({
  type: 'object',
  properties: {
    source: { ...exchangeName, description: 'Name of an exchange.' },
    destination: { type: 'string', minLength: 1, maxLength: 1100, description: '`queue:NAME`, `topic:NAME` or `exchange:NAME`.' },
    key: { type: 'string', maxLength: 255, description: 'Pattern for topic, weight for consistent-hash. Default: empty.' },
    match,
    labels,
  },
  required: ['source', 'destination'],
  additionalProperties: false,
})

export const bindingListParams: Typed<ListParams & { readonly source?: string; readonly destination?: string }, ObjectSchema> =
  typed({
    type: 'object',
    properties: {
      source: { ...exchangeName, description: 'Those from this exchange.' },
      destination: { type: 'string', minLength: 1, maxLength: 1100, description: 'Those to this queue, topic or exchange.' },
      ...listParams.properties,
    },
    additionalProperties: false,
  })

export const bindingList: object = {
  type: 'object',
  properties: { items: { type: 'array', items: { ...binding, required: ['source', 'destination', 'key'] } }, next },
  required: ['items'],
}
