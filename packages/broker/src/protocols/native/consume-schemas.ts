import type { Outcome, StartPosition } from '../../core/broker.ts'
import { type Typed, typed } from '../api/json-schema.ts'
import { readFilter, startPosition } from '../api/schemas.ts'

/** Parameters of the `consume` frame. */
export interface ConsumeRequest {
  readonly source: string
  readonly mode: 'consume' | 'read'
  readonly create?: boolean
  readonly from?: StartPosition
  readonly leaseMs?: number
  readonly priority?: number
  readonly exclusive?: boolean
  readonly partition?: number
  readonly filter?: string
}

export const consumeRequest: Typed<ConsumeRequest> = typed({
  type: 'object',
  properties: {
    source: { type: 'string', minLength: 1, maxLength: 600 },
    mode: { type: 'string', enum: ['consume', 'read'] },
    create: { type: 'boolean' },
    from: startPosition,
    leaseMs: { type: 'integer', minimum: 1 },
    priority: { type: 'integer' },
    exclusive: { type: 'boolean' },
    partition: { type: 'integer', minimum: 0 },
    filter: readFilter,
  },
  required: ['source', 'mode'],
  additionalProperties: false,
})

export const nackOptions: Typed<Omit<Extract<Outcome, { kind: 'nack' }>, 'kind'>> = typed({
  type: 'object',
  properties: {
    delayMs: { type: 'integer', minimum: 0 },
    fallbackDelayMs: { type: 'integer', minimum: 0 },
    uncounted: { type: 'boolean' },
    error: { type: 'string', maxLength: 4096 },
  },
  additionalProperties: false,
})

export const rejectOptions: Typed<Omit<Extract<Outcome, { kind: 'reject' }>, 'kind'>> = typed({
  type: 'object',
  properties: { reason: { type: 'string', maxLength: 4096 } },
  additionalProperties: false,
})
