/** Settings of exchanges: what is allowed, and their stored JSON form (docs/formats/state-log.md). */
import { MillraceError } from '../../base/errors.ts'
import { checkLabels } from '../labels.ts'
import { checkExchangeName } from '../names.ts'
import { checkKeys, oneOf } from '../settings.ts'
import type { ExchangeSpec, ExchangeType } from './router.ts'

/** Settings with defaults filled in. What is absent is not set. */
export interface CheckedExchange extends ExchangeSpec {
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
}

/** How a durable one is stored. */
export interface ExchangeDefinition {
  readonly kind: 'exchange'
  readonly exchange: Omit<CheckedExchange, 'durable'>
}

const TYPES: readonly ExchangeType[] = ['direct', 'fanout', 'topic', 'headers', 'consistent-hash']
const KEYS: readonly (keyof ExchangeSpec)[] = [
  'name',
  'type',
  'durable',
  'autoDelete',
  'internal',
  'alternate',
  'delayed',
  'hashOn',
  'labels',
]
const PROPERTIES = ['message-id', 'correlation-id', 'timestamp'] as const

/** @throws MillraceError `bad_request`, `illegal_name` */
export function checkExchange(spec: ExchangeSpec): CheckedExchange {
  checkKeys('an exchange', spec, KEYS)
  checkExchangeName(spec.name)
  const type = oneOf('the type of an exchange', spec.type, TYPES)
  const { alternate, hashOn } = spec
  const labels = checkLabels(spec.labels)
  if (hashOn !== undefined && type !== 'consistent-hash') {
    throw new MillraceError('bad_request', `hashOn is for exchanges of the type consistent-hash, not ${type}`)
  }
  return {
    name: spec.name,
    type,
    durable: oneOf('durable', spec.durable ?? true, [true, false]),
    autoDelete: oneOf('autoDelete', spec.autoDelete ?? false, [true, false]),
    internal: oneOf('internal', spec.internal ?? false, [true, false]),
    ...(alternate === undefined ? {} : { alternate: checkAlternate(alternate) }),
    ...(oneOf('delayed', spec.delayed ?? false, [true, false]) ? { delayed: true } : {}),
    ...(hashOn === undefined ? {} : { hashOn: checkHashOn(hashOn) }),
    ...(labels === undefined ? {} : { labels }),
  }
}

/** It need not exist. `''` is the default exchange. @throws MillraceError `illegal_name` */
export function checkAlternate(alternate: string): string {
  if (alternate !== '') checkExchangeName(alternate)
  return alternate
}

function checkHashOn(hashOn: NonNullable<ExchangeSpec['hashOn']>): NonNullable<ExchangeSpec['hashOn']> {
  checkKeys('hashOn', hashOn, ['header', 'property'])
  if ('header' in hashOn === 'property' in hashOn)
    throw new MillraceError('bad_request', 'hashOn names either a header or a property')
  if ('property' in hashOn) return { property: oneOf('hashOn.property', hashOn.property, PROPERTIES) }
  if (typeof hashOn.header === 'string' && hashOn.header !== '') return { header: hashOn.header }
  throw new MillraceError('bad_request', `hashOn.header is the name of a header, not ${JSON.stringify(hashOn.header)}`)
}
