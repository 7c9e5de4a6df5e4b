import type { Broker } from '../../core/broker.ts'
import type { Action, Principal, SessionContext } from '../session.ts'
import type { JsonSchema, Typed } from './json-schema.ts'

export interface Operation {
  /** One line, for the OpenAPI document. */
  readonly summary: string
  readonly params: JsonSchema
  /** JSON Schema, for the OpenAPI document. */
  readonly result: object
  readonly action: Action
  /** What access is asked for: `queue:NAME`, ..., or `broker`. */
  resource(params: unknown, broker: Broker): string
  /** Where it publishes to, or has dead letters published, which is asked for too. */
  publishesTo?(params: unknown): string | undefined
  /** @param signal whoever asked is gone, or wants no more */
  run(context: SessionContext, params: unknown, signal: AbortSignal | undefined, principal: Principal): unknown
}

/** Parameters reach the functions checked, which is what makes the cast safe. */
export function define<T>(definition: {
  readonly summary: string
  readonly params: Typed<T>
  readonly result: object
  readonly action: Action
  resource(params: T, broker: Broker): string
  publishesTo?(params: T): string | undefined
  run(context: SessionContext, params: T, signal: AbortSignal | undefined, principal: Principal): unknown
}): Operation {
  return definition
}
