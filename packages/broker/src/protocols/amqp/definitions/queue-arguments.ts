import { exchangeAddress } from '@millrace/wire'
import type { DeliveryPolicy, QueueLimits, QueueSpec, TopicSpec } from '../../../core/broker.ts'
import { AmqpError } from '../amqp-error.ts'
import type { VhostNames } from '../vhost-names.ts'
import type { Arguments } from './arguments.ts'
import type { QueueProperties } from './labels.ts'

export type QueueType = 'classic' | 'quorum' | 'stream'

const TYPES: readonly QueueType[] = ['classic', 'quorum', 'stream']
const PRIORITY_MAX = 255
/** Of a quorum queue that does not say how often, as in RabbitMQ. */
const DELIVERY_LIMIT = 20
/** More redeliveries than the core counts are no limit. */
const DELIVERY_LIMIT_MAX = 999_998
const AGE = /^(\d+)([YMDhms])$/
const AGE_MS: Readonly<Record<string, number>> = {
  Y: 365 * 86_400_000,
  M: 30 * 86_400_000,
  D: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
}

/** Arguments that mean something: two declarations with other values are not the same. */
export const KNOWN_ARGUMENTS: readonly string[] = [
  'x-expires',
  'x-message-ttl',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-dead-letter-strategy',
  'x-max-length',
  'x-max-length-bytes',
  'x-overflow',
  'x-max-priority',
  'x-single-active-consumer',
  'x-delivery-limit',
  'x-message-deduplication',
  'x-max-age',
  'x-stream-max-segment-size-bytes',
]

export function queueType(args: Arguments): QueueType {
  return args.choice('x-queue-type', TYPES) ?? 'classic'
}

type QueueSettings = Pick<QueueSpec, 'delivery' | 'limits' | 'priorities' | 'expireMs' | 'dedup'>

/** What arguments make of a queue. @throws AmqpError 406 */
export function queueSettings(args: Arguments, type: QueueType, names: VhostNames): QueueSettings {
  checkIgnored(args)
  const priority = type === 'quorum' ? undefined : args.count('x-max-priority', 0, PRIORITY_MAX)
  const expireMs = args.count('x-expires', 1)
  return {
    delivery: deliveryPolicy(args, type, names),
    ...(priority === undefined || priority === 0 ? {} : { priorities: priority + 1 }),
    ...(expireMs === undefined ? {} : { expireMs }),
    ...limitsOf(args),
    ...dedupOf(args),
  }
}

/** What arguments make of a stream. @throws AmqpError 406 */
export function streamSettings(args: Arguments): Pick<TopicSpec, 'partitions' | 'retention'> {
  const bytes = args.count('x-max-length-bytes', 0)
  const age = args.text('x-max-age')
  args.count('x-stream-max-segment-size-bytes', 1)
  args.count('x-stream-filter-size-bytes', 16, 255)
  return {
    partitions: 1,
    retention: {
      ...(bytes === undefined ? {} : { bytes }),
      ...(age === undefined ? {} : { ms: ageMs(age, args) }),
    },
  }
}

/** @throws AmqpError 406 */
function ageMs(age: string, args: Arguments): number {
  const [, count, unit] = AGE.exec(age) ?? []
  if (count === undefined || unit === undefined) throw args.refused('x-max-age', `'${age}' is no age such as 7D or 12h`)
  return Number(count) * AGE_MS[unit]!
}

function deliveryPolicy(args: Arguments, type: QueueType, names: VhostNames): DeliveryPolicy {
  const ttlMs = args.count('x-message-ttl', 0)
  const exchange = args.text('x-dead-letter-exchange')
  const key = args.text('x-dead-letter-routing-key')
  args.choice('x-dead-letter-strategy', ['at-most-once', 'at-least-once'])
  if (key !== undefined && exchange === undefined) {
    throw args.refused('x-dead-letter-routing-key', 'there is no x-dead-letter-exchange')
  }
  const limit = args.count('x-delivery-limit', -1) ?? (type === 'quorum' ? DELIVERY_LIMIT : undefined)
  return {
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(exchange === undefined ? {} : { deadLetter: deadLetterAddress(exchange, key, names) }),
    ...(limit === undefined || limit < 0 || limit > DELIVERY_LIMIT_MAX ? {} : { maxAttempts: limit + 1 }),
    ...(args.flag('x-single-active-consumer') === true ? { consumers: 'single' as const } : {}),
  }
}

/** With a key the default exchange leads to one queue; without, to that of the virtual host that has the key of each letter as its name. */
function deadLetterAddress(exchange: string, key: string | undefined, names: VhostNames): string {
  if (exchange === '' && key !== undefined) return exchangeAddress('', names.core(key))
  return exchangeAddress(names.core(exchange), key)
}

function limitsOf(args: Arguments): { readonly limits?: QueueLimits } {
  const messages = args.count('x-max-length', 0)
  const bytes = args.count('x-max-length-bytes', 0)
  const overflow = args.choice('x-overflow', ['drop-head', 'reject-publish', 'reject-publish-dlx']) ?? 'drop-head'
  if (messages === undefined && bytes === undefined) return {}
  const hasDeadLetters = args.has('x-dead-letter-exchange')
  return {
    limits: {
      ...(messages === undefined ? {} : { messages }),
      ...(bytes === undefined ? {} : { bytes }),
      overflow: overflowOf(overflow, hasDeadLetters),
    },
  }
}

function overflowOf(
  overflow: 'drop-head' | 'reject-publish' | 'reject-publish-dlx',
  hasDeadLetters: boolean,
): NonNullable<QueueLimits['overflow']> {
  if (overflow === 'drop-head') return hasDeadLetters ? 'dead-letter' : 'drop-head'
  return overflow === 'reject-publish-dlx' && hasDeadLetters ? 'reject-dead-letter' : 'reject'
}

function dedupOf(args: Arguments): Pick<QueueSpec, 'dedup'> {
  const isOn = args.flag('x-message-deduplication')
  const entriesMax = args.count('x-cache-size', 1, 1_000_000)
  const windowMs = args.count('x-cache-ttl', 1) ?? 60_000
  if (isOn !== true) return {}
  return { dedup: { windowMs, ...(entriesMax === undefined ? {} : { entriesMax }) } }
}

/** What is about RabbitMQ's own ways of storing and replicating has no effect, but must be of the right kind. */
function checkIgnored(args: Arguments): void {
  args.text('x-queue-mode')
  args.count('x-queue-version', 1, 2)
  args.text('x-queue-leader-locator')
  args.text('x-queue-master-locator')
  args.count('x-quorum-initial-group-size', 1)
  args.count('x-initial-cluster-size', 1)
  args.count('x-consumer-timeout', 0)
}

/** Quorum queues and streams are made to last. @throws AmqpError 406 */
export function checkProperties(type: QueueType, { durable, exclusive, autoDelete }: QueueProperties, what: string): void {
  if (type === 'classic') return
  const wrong = !durable ? 'non-durable' : exclusive ? 'exclusive' : autoDelete ? 'auto-delete' : undefined
  if (wrong !== undefined) throw new AmqpError('precondition-failed', `invalid property '${wrong}' for ${what}`)
}
