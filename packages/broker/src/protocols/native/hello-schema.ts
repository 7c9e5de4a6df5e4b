import { type Typed, typed } from '../api/json-schema.ts'

export interface HelloOptions {
  readonly clientId?: string
  readonly user?: string
  readonly password?: string
}

export const helloOptions: Typed<HelloOptions> = typed({
  type: 'object',
  properties: {
    clientId: { type: 'string', maxLength: 255 },
    user: { type: 'string', minLength: 1, maxLength: 255 },
    password: { type: 'string', maxLength: 1024 },
  },
  additionalProperties: false,
})
