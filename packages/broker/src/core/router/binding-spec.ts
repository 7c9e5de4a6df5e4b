/** Bindings: what is allowed, when two are the same, and their stored JSON form (docs/formats/state-log.md). */
import { MillraceError } from '../../base/errors.ts'
import { checkLabels } from '../labels.ts'
import { checkKeys, oneOf } from '../settings.ts'
import { canonicalJson } from './canonical-json.ts'
import { BINDING_KEY_BYTES_MAX, JSON_BYTES_MAX, MATCHED_HEADERS_MAX, WEIGHT_MAX } from './limits.ts'
import type { Binding, ExchangeType, HeadersMatch, HeaderValue, Labels } from './router.ts'

/** How one is stored. */
export interface BindingDefinition {
  readonly kind: 'binding'
  /** Entity of an exchange. */
  readonly source: number
  /** Entity of an exchange, topic or queue. */
  readonly destination: number
  readonly key: string
  readonly match?: HeadersMatch
  readonly labels?: Labels
}

/** Of a binding that says nothing else: it takes everything. */
export const MATCH_ALL: HeadersMatch = { mode: 'all', headers: {} }

const KEYS: readonly (keyof Binding)[] = ['source', 'destination', 'key', 'match', 'labels']
const MODES: readonly HeadersMatch['mode'][] = ['all', 'any', 'all-with-x', 'any-with-x']
const encoder = new TextEncoder()

/**
 * @param type of the exchange that it is from
 * @throws MillraceError `bad_request`
 */
export function checkBinding(binding: Binding, type: ExchangeType): Binding {
  checkKeys('a binding', binding, KEYS)
  const { source, destination, key, match } = binding
  const labels = checkLabels(binding.labels)
  if (typeof key !== 'string' || encoder.encode(key).length > BINDING_KEY_BYTES_MAX)
    throw new MillraceError('bad_request', `the key of a binding is a text of at most ${BINDING_KEY_BYTES_MAX} bytes`)
  if (type === 'consistent-hash') weightOf(key)
  if (match !== undefined && type !== 'headers')
    throw new MillraceError(
      'bad_request',
      `match is for bindings of headers exchanges; ${JSON.stringify(source)} is of type ${type}`,
    )
  return {
    source,
    destination,
    key,
    ...(match === undefined ? {} : { match: checkMatch(match) }),
    ...(labels === undefined ? {} : { labels }),
  }
}

/** What of a binding, beside where it is from, makes it that one. */
export function identityOf({ destination, key, match, labels }: Binding): string {
  return canonicalJson([destination, key, match ?? null, labels ?? null])
}

/** @throws MillraceError `bad_request` */
export function weightOf(key: string): number {
  const weight = /^[0-9]{1,7}$/.test(key) ? Number(key) : 0
  if (weight >= 1 && weight <= WEIGHT_MAX) return weight
  throw new MillraceError(
    'bad_request',
    `the key of a binding of a consistent-hash exchange is its weight, a whole number from 1 to ${WEIGHT_MAX}, not ${JSON.stringify(key)}`,
  )
}

function checkMatch(match: HeadersMatch): HeadersMatch {
  checkKeys('match', match, ['mode', 'headers'])
  const mode = oneOf('match.mode', match.mode, MODES)
  const entries = Object.entries(match.headers ?? {})
  if (entries.length > MATCHED_HEADERS_MAX || canonicalJson(match).length > JSON_BYTES_MAX)
    throw new MillraceError(
      'bad_request',
      `a binding matches at most ${MATCHED_HEADERS_MAX} headers, ${JSON_BYTES_MAX} bytes of JSON`,
    )
  const headers = Object.create(null) as Record<string, HeaderValue | null>
  for (const [name, value] of entries.toSorted(([a], [b]) => (a < b ? -1 : 1))) headers[name] = checkValue(name, value)
  return { mode, headers }
}

function checkValue(name: string, value: HeaderValue | null): HeaderValue | null {
  const isKnown = value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
  if (isKnown) return value
  throw new MillraceError('bad_request', `match.headers.${name} is a text, a number, true, false, or null for any value`)
}
