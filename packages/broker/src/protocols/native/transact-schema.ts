import { type Typed, typed } from '../api/json-schema.ts'
import { nackOptions, rejectOptions } from './consume-schemas.ts'

/** Parameters of the `transact` frame. */
export interface TransactRequest {
  readonly publishes?: readonly TransactPublish[]
  readonly settles?: readonly TransactSettle[]
  /** Ids of scheduled messages. */
  readonly cancels?: readonly number[]
}

/** The next `bytes` of the frame's batches go to all of `to`, as one stored copy. */
interface TransactPublish {
  readonly to: readonly string[]
  /** For one destination. Absent: by the key of the first record. */
  readonly partition?: number
  readonly bytes: number
  /** Whether destinations that do not exist are created. Default true. */
  readonly create?: boolean
  /** For one destination, which is not created: it is left out when that does not exist. */
  readonly optional?: boolean
}

interface TransactSettle {
  readonly consumer: number
  readonly outcome: 'ack' | 'nack' | 'reject'
  /** Fours: partition, first, last, attempt (0 for any). */
  readonly ranges: readonly number[]
  readonly nack?: { readonly delayMs?: number; readonly uncounted?: boolean; readonly error?: string }
  readonly reject?: { readonly reason?: string }
}

const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const

export const transactRequest: Typed<TransactRequest> = typed({
  type: 'object',
  properties: {
    publishes: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          to: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 600 } },
          partition: count,
          bytes: count,
          create: { type: 'boolean' },
          optional: { type: 'boolean' },
        },
        required: ['to', 'bytes'],
        additionalProperties: false,
      },
    },
    settles: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          consumer: count,
          outcome: { type: 'string', enum: ['ack', 'nack', 'reject'] },
          ranges: { type: 'array', items: count },
          nack: nackOptions,
          reject: rejectOptions,
        },
        required: ['consumer', 'outcome', 'ranges'],
        additionalProperties: false,
      },
    },
    cancels: { type: 'array', items: count },
  },
  additionalProperties: false,
})
