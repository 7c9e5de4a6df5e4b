import type { TopicPermission, UserLimits, VhostPermission } from '../permissions.ts'
import type { UserSpec } from '../security.ts'
import { type ObjectSchema, type Typed, typed } from './json-schema.ts'

const RULE_LENGTH_MAX = 1000
const PERMISSIONS_MAX = 10_000
const LIMIT_MAX = 1_000_000

const vhost = { type: 'string', minLength: 1, maxLength: 255, description: 'A virtual host; the default one is `/`.' } as const
const exchange = { type: 'string', maxLength: 255, description: '`amq.default` for the default exchange.' } as const
const pattern = {
  type: 'string',
  maxLength: 1000,
  description: 'A regular expression that is looked for in the name; an empty one allows nothing.',
} as const

const vhostPermission = {
  type: 'object',
  properties: { vhost, configure: pattern, write: pattern, read: pattern },
  required: ['vhost', 'configure', 'write', 'read'],
  additionalProperties: false,
} as const

const topicPermission = {
  type: 'object',
  properties: { vhost, exchange, write: pattern, read: pattern },
  required: ['vhost', 'exchange', 'write', 'read'],
  additionalProperties: false,
} as const

/** Settings of users in RabbitMQ's terms. */
export const permissionSettings: {
  readonly tags: Typed<readonly string[]>
  readonly permissions: Typed<readonly VhostPermission[]>
  readonly topicPermissions: Typed<readonly TopicPermission[]>
  readonly limits: Typed<UserLimits>
} = {
  tags: typed({
    type: 'array',
    items: { type: 'string', minLength: 1, maxLength: 255 },
    maxItems: 100,
    description: '`administrator`, `monitoring`, `policymaker`, `management`, or words that mean nothing to the broker.',
  }),
  permissions: typed({
    type: 'array',
    items: vhostPermission,
    maxItems: PERMISSIONS_MAX,
    description: 'What it may do in virtual hosts, beside what rules allow.',
  }),
  topicPermissions: typed({
    type: 'array',
    items: topicPermission,
    maxItems: PERMISSIONS_MAX,
    description: 'Which keys messages may have in exchanges; one that is not listed takes any.',
  }),
  limits: typed({
    type: 'object',
    properties: {
      maxConnections: { type: 'integer', minimum: 0, maximum: LIMIT_MAX },
      maxChannels: { type: 'integer', minimum: 0, maximum: LIMIT_MAX },
    },
    additionalProperties: false,
    description: 'How much it may have open at a time, over AMQP.',
  }),
}

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
    description: 'Other users whose rules and permissions count for this one too.',
  },
  ...permissionSettings,
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

export const permitParams: Typed<{ readonly name: string; readonly permission: VhostPermission }, ObjectSchema> = typed({
  type: 'object',
  properties: { name, permission: vhostPermission },
  required: ['name', 'permission'],
  additionalProperties: false,
})

export const permitTopicParams: Typed<{ readonly name: string; readonly permission: TopicPermission }, ObjectSchema> = typed({
  type: 'object',
  properties: { name, permission: topicPermission },
  required: ['name', 'permission'],
  additionalProperties: false,
})

export const withdrawParams: Typed<{ readonly name: string; readonly vhost: string }, ObjectSchema> = typed({
  type: 'object',
  properties: { name, vhost },
  required: ['name', 'vhost'],
  additionalProperties: false,
})

export const withdrawTopicParams: Typed<
  { readonly name: string; readonly vhost: string; readonly exchange?: string },
  ObjectSchema
> = typed({
  type: 'object',
  properties: { name, vhost, exchange },
  required: ['name', 'vhost'],
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
    ...permissionSettings,
    password: { type: 'boolean', description: 'Whether there is one.' },
    tokens: { type: 'array', items: tokenInfo },
  },
  required: ['name', 'rules', 'roles', 'tags', 'permissions', 'topicPermissions', 'limits', 'password', 'tokens'],
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
