/** JSON shapes of purging, redriving, and looking at single messages. */
import type { RedriveSpec } from '../../core/broker.ts'
import { type ObjectSchema, type Typed, typed } from './json-schema.ts'
import { messageSchema } from './message-json.ts'

const count = { type: 'integer', minimum: 0 } as const
const name = { type: 'string', minLength: 1, maxLength: 255, description: 'Name of the queue.' } as const
const id = { type: 'integer', minimum: 1, description: 'The `id` of the redrive.' } as const

export const WAIT_MS_MAX = 60_000
const waitMs = {
  type: 'integer',
  minimum: 0,
  maximum: WAIT_MS_MAX,
  description: 'How long to wait for its end, in milliseconds. Default 5,000.',
} as const

export type RedriveParams = Omit<RedriveSpec, 'source'> & { readonly name: string; readonly waitMs?: number }

export const redriveParams: Typed<RedriveParams, ObjectSchema> = typed({
  type: 'object',
  properties: {
    name,
    to: {
      type: 'string',
      minLength: 1,
      maxLength: 1100,
      description:
        '`queue:NAME` or `topic:NAME`. By default each message goes back to the queue where it died; one that died in a subscription stays.',
    },
    offset: { ...count, description: 'Only the message with this offset.' },
    partition: { ...count, description: 'Of that message: its level, in a queue with priorities. Default 0.' },
    max: { type: 'integer', minimum: 1, description: 'So many messages at most.' },
    filter: { type: 'string', maxLength: 16_384, description: 'Selector; only messages that it matches.' },
    dryRun: { type: 'boolean', description: 'Only count what would be moved.' },
    ratePerSecond: { type: 'number', minimum: 0.001, description: 'So many messages per second at most.' },
    keepHeaders: { type: 'boolean', description: 'Keep the headers that tell of the death.' },
    waitMs,
  },
  required: ['name'],
  additionalProperties: false,
})

export const redriveNamed: Typed<{ readonly id: number; readonly waitMs?: number }, ObjectSchema> = typed({
  type: 'object',
  properties: { id, waitMs: { ...waitMs, description: 'How long to wait for its end, in milliseconds. Default 0.' } },
  required: ['id'],
  additionalProperties: false,
})

export const redriveInfo: ObjectSchema = {
  type: 'object',
  properties: {
    id,
    source: { type: 'string' },
    to: { type: 'string' },
    dryRun: { type: 'boolean' },
    state: { type: 'string', enum: ['running', 'done', 'cancelled', 'failed'] },
    error: { type: 'string', description: 'Why it failed.' },
    scanned: { ...count, description: 'Messages that were looked at.' },
    moved: { ...count, description: 'Messages that were moved, or would be.' },
    left: { ...count, description: 'Messages that were to be moved, and have no place to go.' },
    groups: {
      type: 'array',
      description: 'By where the messages died and of what.',
      items: {
        type: 'object',
        properties: { origin: { type: 'string' }, reason: { type: 'string' }, moved: count, left: count },
        required: ['origin', 'reason', 'moved', 'left'],
        additionalProperties: false,
      },
    },
    startedMs: { type: 'integer' },
    endedMs: { type: 'integer' },
  },
  required: ['id', 'source', 'dryRun', 'state', 'scanned', 'moved', 'left', 'groups', 'startedMs'],
  additionalProperties: false,
}

export const redriveList: ObjectSchema = {
  type: 'object',
  properties: { items: { type: 'array', items: redriveInfo } },
  required: ['items'],
  additionalProperties: false,
}

export const purgeResult: ObjectSchema = {
  type: 'object',
  properties: { messages: { ...count, description: 'How many were dropped.' } },
  required: ['messages'],
  additionalProperties: false,
}

export const messageParams: Typed<
  { readonly source: string; readonly partition?: number; readonly offset: number },
  ObjectSchema
> = typed({
  type: 'object',
  properties: {
    source: { type: 'string', minLength: 1, maxLength: 1100, description: '`queue:NAME` or `topic:NAME`.' },
    partition: { ...count, description: 'Default 0. Of a queue with priorities: the level.' },
    offset: count,
  },
  required: ['source', 'offset'],
  additionalProperties: false,
})

export const message: object = messageSchema
