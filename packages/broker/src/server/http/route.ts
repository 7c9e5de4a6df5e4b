import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { ErrorCode } from '../../base/errors.ts'
import type { ObjectSchema } from '../../protocols/api/json-schema.ts'
import type { Principal } from '../../protocols/session.ts'

export type HttpContext = Context<{ Bindings: HttpBindings }>

/**
 * One method on one path. The table of routes is the API: requests are served by it and the OpenAPI document is written
 * from it.
 */
export interface Route {
  readonly method: 'get' | 'put' | 'post' | 'patch' | 'delete'
  /** As OpenAPI writes it: `/v1/queues/{name}`. */
  readonly path: string
  /** OpenAPI operationId. */
  readonly id: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  /** Query parameters; values arrive parsed and checked. */
  readonly query?: ObjectSchema
  /** Request headers that mean something, with what they mean. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: {
    readonly description: string
    readonly required: boolean
    /** Content type to schema. */
    readonly content: Readonly<Record<string, object>>
  }
  readonly answers: Readonly<
    Record<number, { readonly description: string; readonly content?: Readonly<Record<string, object>> }>
  >
  /** What it may fail with, beyond what every route may. */
  readonly errors: readonly ErrorCode[]
  /** Whether it is for everybody, also where users have to log in: it tells nothing about messages and names. */
  readonly open?: true
  handle(call: Call): Promise<Response> | Response
}

export interface Call {
  readonly context: HttpContext
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  readonly principal: Principal
  /** Fires when the client is gone. */
  readonly signal: AbortSignal
}
