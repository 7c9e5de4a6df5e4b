import type { ArgumentJson } from '../definitions/arguments.ts'

type Check = (value: ArgumentJson) => string | undefined

/** One thing that a policy may say. */
interface PolicySetting {
  /** The argument of a declaration that says the same; absent for what has no effect here. */
  readonly argument?: string
  /** Of two numbers the lower counts, where an operator says one. */
  readonly isLimit?: boolean
  /** What is wrong with a value. */
  readonly check: Check
}

const whole =
  (min: number): Check =>
  (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min ? undefined : `a whole number of at least ${min}`
const text: Check = (value) => (typeof value === 'string' ? undefined : 'text')
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'true or false')
const oneOf =
  (...of: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && of.includes(value) ? undefined : `one of ${of.join(', ')}`
const age: Check = (value) => (typeof value === 'string' && /^\d+[YMDhms]$/.test(value) ? undefined : 'an age such as 7D or 12h')
const anything: Check = () => undefined

/** What is about RabbitMQ's own ways of storing and replicating is taken, and has no effect. */
const ignored: Readonly<Record<string, Check>> = {
  'ha-mode': text,
  'ha-params': anything,
  'ha-sync-mode': text,
  'ha-promote-on-shutdown': text,
  'ha-promote-on-failure': text,
  'ha-sync-batch-size': whole(1),
  'queue-mode': text,
  'queue-version': whole(1),
  'queue-master-locator': text,
  'queue-leader-locator': text,
  'initial-cluster-size': whole(1),
  'target-group-size': whole(1),
  'max-in-memory-length': whole(0),
  'max-in-memory-bytes': whole(0),
  'stream-max-segment-size-bytes': whole(1),
  'stream-filter-size-bytes': whole(1),
  'dead-letter-strategy': oneOf('at-most-once', 'at-least-once'),
  'consumer-timeout': whole(0),
  federation: anything,
  'federation-upstream': text,
  'federation-upstream-set': text,
  'federation-upstream-pattern': text,
  'internal-owner': flag,
}

export const policySettings: ReadonlyMap<string, PolicySetting> = new Map<string, PolicySetting>([
  ['message-ttl', { argument: 'x-message-ttl', isLimit: true, check: whole(0) }],
  ['expires', { argument: 'x-expires', isLimit: true, check: whole(1) }],
  ['max-length', { argument: 'x-max-length', isLimit: true, check: whole(0) }],
  ['max-length-bytes', { argument: 'x-max-length-bytes', isLimit: true, check: whole(0) }],
  ['delivery-limit', { argument: 'x-delivery-limit', isLimit: true, check: whole(0) }],
  ['overflow', { argument: 'x-overflow', check: oneOf('drop-head', 'reject-publish', 'reject-publish-dlx') }],
  ['dead-letter-exchange', { argument: 'x-dead-letter-exchange', check: text }],
  ['dead-letter-routing-key', { argument: 'x-dead-letter-routing-key', check: text }],
  ['max-age', { argument: 'x-max-age', check: age }],
  ['alternate-exchange', { argument: 'alternate-exchange', check: text }],
  ...Object.entries(ignored).map(([name, check]) => [name, { check }] as const),
])
