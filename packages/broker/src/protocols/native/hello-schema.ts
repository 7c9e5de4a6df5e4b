import { type Typed, typed } from '../api/json-schema.ts'

export interface HelloOptions {
  readonly clientId?: string
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** SASL mechanism, with its first message. */
  readonly mechanism?: string
  readonly message?: string
}

const message = { type: 'string', maxLength: 4096 } as const

export const helloOptions: Typed<HelloOptions> = typed({
  type: 'object',
  properties: {
    clientId: { type: 'string', maxLength: 255 },
    user: { type: 'string', minLength: 1, maxLength: 255 },
    password: { type: 'string', maxLength: 1024 },
    token: { type: 'string', minLength: 1, maxLength: 1024 },
    mechanism: { type: 'string', minLength: 1, maxLength: 64 },
    message,
  },
  additionalProperties: false,
})

/** What `challenge` and `response` carry. */
export const saslMessage: Typed<{ readonly message: string }> = typed({
  type: 'object',
  properties: { message },
  required: ['message'],
  additionalProperties: false,
})
