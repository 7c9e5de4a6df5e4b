import type { UserSpec } from '../security.ts'
import { type ObjectSchema, type Typed, typed } from './json-schema.ts'

const RULE_LENGTH_MAX = 1000

const name = { type: 'string', minLength: 1, maxLength: 255 } as const
const settings = {
  password: { type: 'string', minLength: 1, maxLength: 1024, description: 'Only keys made from it are kept.' },
  rules: {
    type: 'array',
    items: { type: 'string', maxLength: RULE_LENGTH_MAX },
    description:
      'As `allow publish,consume queue:orders.*`, or with ` from 10.0.0.0/8,::1` after it; a `deny` wins over whatever allows. What no rule allows is forbidden.',
  },
  roles: {
    type: 'array',
    items: { type: 'string', maxLength: 255 },
    description: 'Other users whose rules count for this one too.',
  },
} as const

export const userSpec: Typed<UserSpec, ObjectSchema> = typed({
  type: 'object',
  properties: { name, ...settings },
  required: ['name'],
  additionalProperties: false,
})

export const userUpdateParams: Typed<{ readonly name: string; readonly change: Omit<UserSpec, 'name'> }, ObjectSchema> = typed({
  type: 'object',
  properties: { name, change: { type: 'object', properties: settings, additionalProperties: false } },
  required: ['name', 'change'],
  additionalProperties: false,
})

const label = { type: 'string', maxLength: 255, description: 'What the token is for.' } as const

export const tokenParams: Typed<{ readonly name: string; readonly label?: string }, ObjectSchema> = typed({
  type: 'object',
  properties: { name, label },
  required: ['name'],
  additionalProperties: false,
})

export const tokenNamed: Typed<{ readonly name: string; readonly id: string }, ObjectSchema> = typed({
  type: 'object',
  properties: { name, id: { type: 'string', minLength: 1, maxLength: 64 } },
  required: ['name', 'id'],
  additionalProperties: false,
})

const tokenInfo = { type: 'object', properties: { id: { type: 'string' }, label: { type: 'string' } }, required: ['id', 'label'] }

export const userInfo: object = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    rules: { type: 'array', items: { type: 'string' } },
    roles: { type: 'array', items: { type: 'string' } },
    password: { type: 'boolean', description: 'Whether there is one.' },
    tokens: { type: 'array', items: tokenInfo },
  },
  required: ['name', 'rules', 'roles', 'password', 'tokens'],
}

export const userList: object = {
  type: 'object',
  properties: { items: { type: 'array', items: userInfo }, next: { type: 'string' } },
  required: ['items'],
}

export const newToken: object = {
  type: 'object',
  properties: { id: { type: 'string' }, token: { type: 'string' } },
  required: ['id', 'token'],
}
