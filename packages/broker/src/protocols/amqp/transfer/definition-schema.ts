import { MillraceError } from '../../../base/errors.ts'
import type { Definitions } from './definition-shapes.ts'

type Kind = 'text' | 'flag' | 'number' | 'object' | 'list' | 'any'

interface Shape {
  readonly required?: Readonly<Record<string, Kind>>
  readonly optional?: Readonly<Record<string, Kind>>
}

const inVhost = { vhost: 'text' } as const

/** Only what is used is looked at: exports of other versions have more fields. */
const shapes: Readonly<Record<keyof Definitions, Shape>> = {
  users: {
    required: { name: 'text' },
    optional: { password: 'text', password_hash: 'text', hashing_algorithm: 'text', millrace: 'object' },
  },
  vhosts: { required: { name: 'text' }, optional: { description: 'text', tags: 'list', metadata: 'object' } },
  permissions: { required: { user: 'text', vhost: 'text', configure: 'text', write: 'text', read: 'text' } },
  topic_permissions: { required: { user: 'text', vhost: 'text', exchange: 'text', write: 'text', read: 'text' } },
  parameters: { required: { component: 'text', name: 'text', value: 'any' }, optional: inVhost },
  global_parameters: { required: { name: 'text', value: 'any' } },
  policies: {
    required: { name: 'text', pattern: 'text', definition: 'object' },
    optional: { ...inVhost, 'apply-to': 'text', priority: 'number' },
  },
  queues: { required: { name: 'text' }, optional: { ...inVhost, durable: 'flag', auto_delete: 'flag', arguments: 'object' } },
  exchanges: {
    required: { name: 'text', type: 'text' },
    optional: { ...inVhost, durable: 'flag', auto_delete: 'flag', internal: 'flag', arguments: 'object' },
  },
  bindings: {
    required: { source: 'text', destination: 'text', destination_type: 'text' },
    optional: { ...inVhost, routing_key: 'text', arguments: 'object' },
  },
}

const checks: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  flag: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  list: Array.isArray,
  any: (value) => value !== undefined,
}

/** @param json anything @throws MillraceError `bad_request` that names the entry */
export function checkDefinitions(json: unknown): Definitions {
  if (!checks.object(json)) throw wrong('Definitions are a JSON object, with lists such as queues and exchanges')
  const given = json as Readonly<Record<string, unknown>>
  for (const [section, shape] of Object.entries(shapes)) {
    const entries = given[section]
    if (entries === undefined) continue
    if (!Array.isArray(entries)) throw wrong(`${section} must be a list`)
    for (const [n, entry] of (entries as readonly unknown[]).entries()) checkEntry(`${section}[${n}]`, entry, shape)
  }
  return given
}

function checkEntry(where: string, entry: unknown, { required = {}, optional = {} }: Shape): void {
  if (!checks.object(entry)) throw wrong(`${where} must be an object`)
  const fields = entry as Readonly<Record<string, unknown>>
  for (const [field, kind] of Object.entries(required))
    if (!checks[kind](fields[field])) throw wrong(`${where} must have ${field}, as ${kind}`)
  for (const [field, kind] of Object.entries(optional)) {
    const value = fields[field]
    if (value !== undefined && value !== null && !checks[kind](value)) throw wrong(`${field} of ${where} must be ${kind}`)
  }
}

function wrong(why: string): MillraceError {
  return new MillraceError('bad_request', `${why}.`)
}
