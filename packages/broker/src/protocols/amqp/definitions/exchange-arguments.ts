import type { ExchangeInfo, ExchangeSpec, ExchangeType } from '../../../core/broker.ts'
import { AmqpError } from '../amqp-error.ts'
import type { VhostNames } from '../vhost-names.ts'
import type { Arguments } from './arguments.ts'

/** Arguments that mean something: two declarations with other values are not the same. */
export const KNOWN_EXCHANGE_ARGUMENTS: readonly string[] = [
  'alternate-exchange',
  'x-delayed-type',
  'hash-header',
  'hash-property',
]

const DELAYED = 'x-delayed-message'
const types: Readonly<Record<string, ExchangeType>> = {
  direct: 'direct',
  fanout: 'fanout',
  topic: 'topic',
  headers: 'headers',
  'x-consistent-hash': 'consistent-hash',
}

export type ExchangeSettings = Pick<ExchangeSpec, 'type' | 'alternate' | 'delayed' | 'hashOn'>

/** @throws AmqpError 406 */
export function exchangeSettings(type: string, args: Arguments, names: VhostNames): ExchangeSettings {
  const alternate = args.text('alternate-exchange')
  const isDelayed = type === DELAYED
  const routedBy = isDelayed ? args.text('x-delayed-type') : type
  if (routedBy === undefined) throw args.refused('x-delayed-type', 'it says how messages are routed after the delay')
  const known = Object.hasOwn(types, routedBy) ? types[routedBy] : undefined
  if (known === undefined) throw new AmqpError('precondition-failed', `unknown exchange type '${routedBy}'`)
  return {
    type: known,
    ...(alternate === undefined ? {} : { alternate: names.core(alternate) }),
    ...(isDelayed ? { delayed: true } : {}),
    ...(known === 'consistent-hash' ? hashOn(args) : {}),
  }
}

/** How clients call the type of an exchange. */
export function exchangeTypeName({ type, delayed }: Pick<ExchangeInfo, 'type' | 'delayed'>): string {
  if (delayed === true) return DELAYED
  return type === 'consistent-hash' ? 'x-consistent-hash' : type
}

function hashOn(args: Arguments): { readonly hashOn?: NonNullable<ExchangeSpec['hashOn']> } {
  const header = args.text('hash-header')
  const property = args.choice('hash-property', ['message_id', 'correlation_id', 'timestamp'])
  if (header !== undefined && property !== undefined) {
    throw args.refused('hash-property', 'there is a hash-header, and one of them is enough')
  }
  if (header !== undefined) return { hashOn: { header } }
  if (property === undefined) return {}
  return { hashOn: { property: property.replace('_', '-') as 'message-id' | 'correlation-id' | 'timestamp' } }
}
