import { EACH, type QuotaScope, type QuotaSpec } from '../../../core/quotas/quotas.ts'
import { permit } from '../access.ts'
import type { Decoded } from '../codec/notation.ts'
import { errors, failure, KafkaError, success } from '../errors.ts'
import { alterClientQuotas, describeClientQuotas } from '../messages/security.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { durableTicket } from '../handlers/topics.ts'

type Component = Decoded<typeof describeClientQuotas.request>['components'][number]
type Alteration = Decoded<typeof alterClientQuotas.request>['entries'][number]

const USER = 'user'
const CLIENT = 'client-id'
const fields = { [USER]: 'user', [CLIENT]: 'clientId' } as const
type EntityType = keyof typeof fields

const rates = {
  producer_byte_rate: 'publishBytesPerSecond',
  consumer_byte_rate: 'consumeBytesPerSecond',
  request_percentage: 'requestPercent',
  controller_mutation_rate: 'partitionChangesPerSecond',
} as const
type RateKey = keyof typeof rates

/** How a component of a filter is meant. */
const EXACT = 0
const DEFAULT = 1
const SPECIFIED = 2

export const describeClientQuotasApi: ServedApi = serve(describeClientQuotas, ({ components, strict }, _, client) => {
  try {
    permit(client, 'describe', 'broker')
    checkComponents(components)
    const found = client.broker.quotas.list().filter((spec) => matches(spec, components, strict))
    return { ...success, entries: found.map((spec) => ({ entity: entityOf(spec), values: valuesOf(spec) })) }
  } catch (error) {
    return { ...failure(error), entries: null }
  }
})

/** @throws KafkaError INVALID_REQUEST, UNSUPPORTED_VERSION */
function checkComponents(components: readonly Component[]): void {
  const types = components.map(({ entityType }) => entityType)
  if (new Set(types).size < types.length) throw new KafkaError(errors.INVALID_REQUEST, 'each type of entity is named once')
  for (const { entityType, matchType, match } of components) {
    typeOf(entityType)
    if (![EXACT, DEFAULT, SPECIFIED].includes(matchType) || (matchType === EXACT) !== (match !== null))
      throw new KafkaError(errors.INVALID_REQUEST, 'a match is exact, with a name, or of the default, or of any, without one')
  }
}

function matches(spec: QuotaSpec, components: readonly Component[], strict: boolean): boolean {
  const named = components.every(({ entityType, matchType, match }) => {
    const value = spec[fields[entityType as EntityType]]
    if (value === undefined) return false
    if (matchType === SPECIFIED) return true
    return matchType === DEFAULT ? value === EACH : value === match && value !== EACH
  })
  return named && (!strict || entityOf(spec).length === components.length)
}

function entityOf(spec: QuotaScope): { entityType: string; entityName: string | null }[] {
  return Object.entries(fields).flatMap(([entityType, field]) => {
    const name = spec[field]
    return name === undefined ? [] : [{ entityType, entityName: name === EACH ? null : name }]
  })
}

function valuesOf(spec: QuotaSpec): { key: string; value: number }[] {
  return Object.entries(rates).flatMap(([key, field]) => {
    const value = spec[field]
    return value === undefined ? [] : [{ key, value }]
  })
}

export const alterClientQuotasApi: ServedApi = serve(alterClientQuotas, (request, _, client) => {
  const entries = request.entries.map((entry) => {
    const { entity } = entry
    try {
      permit(client, 'define', 'broker')
      alter(client, entry, request.validateOnly)
      return { entity, ...success }
    } catch (error) {
      return { entity, ...failure(error) }
    }
  })
  return new Durable(request.validateOnly ? 0 : durableTicket(client, entries), { entries })
})

function alter({ broker }: Client, { entity, ops }: Alteration, validateOnly: boolean): void {
  const scope: { user?: string; clientId?: string } = {}
  for (const { entityType, entityName } of entity) {
    const field = fields[typeOf(entityType)]
    if (scope[field] !== undefined || entityName === '' || entityName === EACH)
      throw new KafkaError(errors.INVALID_REQUEST, `one ${entityType} is named, or null for each; * cannot be a name`)
    scope[field] = entityName ?? EACH
  }
  const { quotas } = broker
  const existing = quotas.list().find(({ user, clientId }) => user === scope.user && clientId === scope.clientId)
  const next: QuotaSpec = { ...existing, ...scope }
  const changed = ops.reduce(withOperation, next)
  const isEmpty = valuesOf(changed).length === 0
  if (isEmpty && existing !== undefined && !validateOnly) quotas.remove(scope)
  else if (!isEmpty) {
    quotas.check(changed)
    if (!validateOnly) quotas.set(changed)
  } else if (entity.length === 0) throw new KafkaError(errors.INVALID_REQUEST, 'a quota is for a user, a client-id, or both')
}

/** @throws KafkaError INVALID_REQUEST for what this broker does not limit */
function withOperation(spec: QuotaSpec, { key, value, remove }: Alteration['ops'][number]): QuotaSpec {
  if (!Object.hasOwn(rates, key))
    throw new KafkaError(errors.INVALID_REQUEST, `there are quotas for ${Object.keys(rates).join(', ')}, and none for ${key}`)
  const field = rates[key as RateKey]
  const { [field]: _, ...others } = spec
  return remove ? others : { ...others, [field]: value }
}

/** @throws KafkaError UNSUPPORTED_VERSION */
function typeOf(entityType: string): EntityType {
  if (Object.hasOwn(fields, entityType)) return entityType as EntityType
  throw new KafkaError(
    errors.UNSUPPORTED_VERSION,
    `quotas are for a user and a client-id, and none for ${JSON.stringify(entityType)}`,
  )
}
