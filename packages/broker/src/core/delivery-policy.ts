/** Delivery policies of queues and subscriptions: what is allowed. */
import {
  ATTEMPTS_MAX,
  type Backoff,
  backoffFault,
  destinationAddress,
  exchangeAddress,
  parseExchangeAddress,
} from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { DeathFact, DeliveryPolicy } from './broker.ts'
import { LEASE_MS_DEFAULT, LEASE_MS_MAX } from './limits.ts'
import { checkExchangeName, parseDestination } from './names.ts'
import { compileSelector } from './selectors/selector.ts'
import { checkKeys, oneOf, positive, within } from './settings.ts'

/** A policy whose defaults are filled in. */
export interface CheckedDelivery extends DeliveryPolicy {
  readonly leaseMs: number
}

type Draft = { -readonly [K in keyof CheckedDelivery]: CheckedDelivery[K] }

const DEATH_FACTS: readonly DeathFact[] = ['origin', 'subscription', 'partition', 'offset', 'attempts', 'reason']
const DEATH_HEADERS_MAX = 16
const DEATH_HEADER_LENGTH_MAX = 256
const RATE_MAX = 10_000_000
const CONSUMER_PRIORITY_MAX: number = 2 ** 31 - 1
const KEYS: readonly (keyof DeliveryPolicy)[] = [
  'leaseMs',
  'maxAttempts',
  'deadLetter',
  'deadLetterContent',
  'deadLetterHeaders',
  'backoff',
  'order',
  'consumers',
  'ratePerSecond',
  'paused',
  'filter',
  'ttlMs',
]

/**
 * @param self address of the queue or subscription it is for
 * @throws MillraceError `bad_request`, `illegal_name`, `bad_selector`
 */
export function checkDelivery(delivery: DeliveryPolicy | undefined, self: string): CheckedDelivery {
  const checked: Draft = { leaseMs: LEASE_MS_DEFAULT }
  if (delivery === undefined) return checked
  checkKeys('delivery', delivery, KEYS)
  const { deadLetterContent, deadLetterHeaders } = delivery
  const { leaseMs, maxAttempts, deadLetter, backoff, order, consumers, ratePerSecond, paused, filter, ttlMs } = delivery
  if (leaseMs !== undefined) checked.leaseMs = checkLease(leaseMs)
  if (maxAttempts !== undefined) checked.maxAttempts = positive('delivery.maxAttempts', maxAttempts, ATTEMPTS_MAX)
  if (deadLetter !== undefined) checked.deadLetter = checkDeadLetter(deadLetter, self)
  if (oneOf('delivery.deadLetterContent', deadLetterContent ?? 'copy', ['copy', 'headers']) === 'headers') {
    checked.deadLetterContent = checkHeadersAlone(self)
  }
  if (deadLetterHeaders !== undefined) checked.deadLetterHeaders = checkDeathHeaders(deadLetterHeaders)
  if (backoff !== undefined) checked.backoff = checkBackoff(backoff)
  if (order !== undefined && oneOf('delivery.order', order, ['none', 'key', 'strict']) !== 'none') checked.order = order
  if (consumers !== undefined && oneOf('delivery.consumers', consumers, ['shared', 'single']) === 'single')
    checked.consumers = consumers
  if (ratePerSecond !== undefined) checked.ratePerSecond = within('delivery.ratePerSecond', ratePerSecond, 0.001, RATE_MAX)
  if (oneOf('delivery.paused', paused ?? false, [true, false])) checked.paused = true
  if (filter !== undefined) checked.filter = checkFilter(filter, self)
  if (ttlMs !== undefined) checked.ttlMs = ttlMs === 0 ? 0 : positive('delivery.ttlMs', ttlMs, Number.MAX_SAFE_INTEGER)
  return checked
}

/** @throws MillraceError `bad_request` */
export function checkLease(leaseMs: number): number {
  return positive('leaseMs', leaseMs, LEASE_MS_MAX)
}

/** @throws MillraceError `bad_request` */
export function checkConsumerPriority(priority: number): number {
  if (Number.isInteger(priority)) return within('priority', priority, -CONSUMER_PRIORITY_MAX, CONSUMER_PRIORITY_MAX)
  throw new MillraceError('bad_request', `priority must be a whole number, not ${JSON.stringify(priority)}`)
}

/**
 * What cannot be changed while there are messages: deliveries under way were made by the old rule.
 * @throws MillraceError `bad_request`
 */
export function checkPolicyChange(before: CheckedDelivery, after: CheckedDelivery, self: string): void {
  for (const name of ['order', 'filter'] as const) {
    if (before[name] === after[name]) continue
    throw new MillraceError('bad_request', `${name} of ${self} cannot be changed: delete it and create it again`)
  }
}

function checkDeadLetter(deadLetter: string, self: string): string {
  const exchange = parseExchangeAddress(deadLetter)
  if (exchange !== undefined) {
    if (exchange.name !== '') checkExchangeName(exchange.name)
    return exchangeAddress(exchange.name, exchange.key)
  }
  const { kind, name } = parseDestination(deadLetter)
  const address = destinationAddress(kind, name)
  const isOwnTopic = kind === 'topic' && self.startsWith(`${address}/`)
  if (address !== self && !isOwnTopic) return address
  throw new MillraceError(
    'bad_request',
    `the dead letters of ${self} cannot go to where they come from: name another queue or topic`,
  )
}

function checkHeadersAlone(self: string): 'headers' {
  if (!self.startsWith('queue:')) return 'headers'
  throw new MillraceError(
    'bad_request',
    `dead letters of ${self} are copies: what a queue has given away it does not have any more`,
  )
}

function checkDeathHeaders(headers: NonNullable<DeliveryPolicy['deadLetterHeaders']>): typeof headers {
  const names = Object.keys(headers)
  if (names.length > DEATH_HEADERS_MAX || names.some((name) => name.length === 0 || name.length > DEATH_HEADER_LENGTH_MAX)) {
    throw new MillraceError(
      'bad_request',
      `delivery.deadLetterHeaders has at most ${DEATH_HEADERS_MAX} names of 1 to ${DEATH_HEADER_LENGTH_MAX} characters`,
    )
  }
  for (const [name, fact] of Object.entries(headers)) oneOf(`delivery.deadLetterHeaders.${name}`, fact, DEATH_FACTS)
  return headers
}

function checkBackoff(backoff: Backoff): Backoff {
  const fault = backoffFault('delivery.backoff', backoff)
  if (fault !== undefined) throw new MillraceError('bad_request', fault)
  const { kind, initialMs, maxMs, factor, jitter } = backoff
  return {
    kind,
    initialMs,
    ...(maxMs === undefined ? {} : { maxMs }),
    ...(factor === undefined ? {} : { factor }),
    ...(jitter === undefined ? {} : { jitter }),
  }
}

function checkFilter(filter: string, self: string): string {
  if (self.startsWith('queue:')) {
    throw new MillraceError(
      'bad_request',
      `${self} cannot have a filter: its messages would be lost. Filter a subscription of a topic.`,
    )
  }
  return compileSelector(filter).text
}
