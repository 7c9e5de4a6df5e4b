/** JSON shapes of transactional producers. */
import { type ObjectSchema, type Typed, typed } from './json-schema.ts'

const count = { type: 'integer', minimum: 0 } as const
const transactionalId = {
  type: 'string',
  minLength: 1,
  maxLength: 1024,
  description: 'What the producer calls itself, over restarts.',
} as const

export const transactionNamed: Typed<{ readonly transactionalId: string }> = typed({
  type: 'object',
  properties: { transactionalId },
  required: ['transactionalId'],
  additionalProperties: false,
})

const summary = {
  transactionalId,
  producerId: count,
  epoch: { ...count, description: 'Those with a lower one were replaced.' },
  state: {
    type: 'string',
    enum: ['empty', 'open', 'committing', 'committed', 'aborted'],
    description: 'Of its last transaction. `committing`: decided, and still being published.',
  },
  timeoutMs: { ...count, description: 'A transaction that is open for longer is aborted.' },
  startedMs: { ...count, description: 'Milliseconds since 1970; while it is open or being published.' },
} as const
const required = ['transactionalId', 'producerId', 'epoch', 'state', 'timeoutMs'] as const

export const transactionInfo: ObjectSchema = {
  type: 'object',
  properties: {
    ...summary,
    partitions: {
      type: 'array',
      items: {
        type: 'object',
        properties: { kind: { type: 'string', enum: ['topic', 'queue'] }, name: { type: 'string' }, partition: count },
        required: ['kind', 'name', 'partition'],
        additionalProperties: false,
      },
      description: 'Where it publishes to.',
    },
    groups: { type: 'array', items: { type: 'string' }, description: 'Consumer groups whose offsets it commits.' },
    bytes: { ...count, description: 'What waits to be published.' },
  },
  required: [...required, 'partitions', 'groups', 'bytes'],
  additionalProperties: false,
}

export const transactionList: ObjectSchema = {
  type: 'object',
  properties: {
    items: {
      type: 'array',
      items: { type: 'object', properties: summary, required, additionalProperties: false },
    },
    next: { type: 'string', description: 'Pass it as `after` to get the rest; absent on the last page.' },
  },
  required: ['items'],
  additionalProperties: false,
}

export const transactionAborted: ObjectSchema = {
  type: 'object',
  properties: { aborted: { type: 'boolean', description: 'Whether there was an open one.' } },
  required: ['aborted'],
  additionalProperties: false,
}
