/** Settings of topics, queues and subscriptions: what is allowed, and their stored JSON form (docs/formats/state-log.md). */
import { MillraceError } from '../base/errors.ts'
import type { LogId } from '../storage/log-store.ts'
import type { BrokerLimits, DeliveryPolicy, Retention, TopicSpec } from './broker.ts'
import { ATTEMPTS_MAX, LEASE_MS_DEFAULT, LEASE_MS_MAX } from './limits.ts'
import type { BrokerDefinition } from './broker-identity.ts'
import type { CompactionState } from './log-tail.ts'
import { parseDestination } from './names.ts'
import type { ByteWriter } from './state/bytes.ts'
import { StateCell } from './state/state-log.ts'

export type Definition = BrokerDefinition | TopicDefinition | QueueDefinition | SubscriptionDefinition

export interface TopicDefinition {
  readonly kind: 'topic'
  readonly name: string
  /** By partition. */
  readonly logs: readonly LogId[]
  readonly retention: Retention
  readonly cleanup: 'delete' | 'compact'
  /** By partition; where it was compacted. */
  readonly compaction?: readonly (CompactionState | null)[]
}

export interface QueueDefinition {
  readonly kind: 'queue'
  readonly name: string
  readonly log: LogId
  readonly delivery: CheckedDelivery
}

export interface SubscriptionDefinition {
  readonly kind: 'subscription'
  /** Entity of its topic. */
  readonly topic: number
  readonly name: string
  readonly delivery: CheckedDelivery
}

/** A definition in the state log. */
export class DefinitionCell extends StateCell {
  readonly #describe: () => Definition

  constructor(entity: number, describe: () => Definition) {
    super(entity, 0)
    this.#describe = describe
  }

  writeSnapshot(out: ByteWriter): undefined {
    out.rest(JSON.stringify(this.#describe()))
    return undefined
  }
}

/** @throws MillraceError `bad_request`, `limit_reached` */
export function checkPartitions(partitions: number, limits: BrokerLimits): number {
  if (!Number.isInteger(partitions) || partitions < 1) {
    throw new MillraceError(
      'bad_request',
      `partitions must be a whole number from 1 to ${limits.partitionsMax}, not ${JSON.stringify(partitions)}`,
    )
  }
  if (partitions > limits.partitionsMax) {
    throw new MillraceError('limit_reached', `a topic has at most ${limits.partitionsMax} partitions, not ${partitions}`)
  }
  return partitions
}

/** @throws MillraceError `bad_request` */
export function checkRetention(retention: Retention | undefined): Retention {
  if (retention === undefined) return {}
  checkKeys('retention', retention, ['ms', 'bytes', 'records'])
  const checked: { ms?: number; bytes?: number; records?: number } = {}
  if (retention.ms !== undefined) checked.ms = positive('retention.ms', retention.ms, Number.MAX_SAFE_INTEGER)
  if (retention.bytes !== undefined) checked.bytes = positive('retention.bytes', retention.bytes, Number.MAX_SAFE_INTEGER)
  if (retention.records !== undefined) checked.records = positive('retention.records', retention.records, Number.MAX_SAFE_INTEGER)
  return checked
}

/** @throws MillraceError `bad_request` */
export function checkCleanup(cleanup: TopicSpec['cleanup']): 'delete' | 'compact' {
  if (cleanup === undefined) return 'delete'
  if (cleanup === 'delete' || cleanup === 'compact') return cleanup
  throw new MillraceError('bad_request', `cleanup is "delete" or "compact", not ${JSON.stringify(cleanup)}`)
}

/** A policy whose defaults are filled in. */
export interface CheckedDelivery extends DeliveryPolicy {
  readonly leaseMs: number
}

/**
 * @param self address of the queue or subscription it is for
 * @throws MillraceError `bad_request`, `illegal_name`
 */
export function checkDelivery(delivery: DeliveryPolicy | undefined, self: string): CheckedDelivery {
  const checked: { leaseMs: number; maxAttempts?: number; deadLetter?: string } = { leaseMs: LEASE_MS_DEFAULT }
  if (delivery === undefined) return checked
  checkKeys('delivery', delivery, ['leaseMs', 'maxAttempts', 'deadLetter'])
  if (delivery.leaseMs !== undefined) checked.leaseMs = checkLease(delivery.leaseMs)
  if (delivery.maxAttempts !== undefined)
    checked.maxAttempts = positive('delivery.maxAttempts', delivery.maxAttempts, ATTEMPTS_MAX)
  if (delivery.deadLetter !== undefined) {
    const { kind, name } = parseDestination(delivery.deadLetter)
    checked.deadLetter = `${kind}:${name}`
    if (checked.deadLetter === self || self.startsWith(`${checked.deadLetter}/`)) {
      throw new MillraceError(
        'bad_request',
        `the dead letters of ${self} cannot go to where they come from: name another queue or topic`,
      )
    }
  }
  return checked
}

/** @throws MillraceError `bad_request` */
export function checkLease(leaseMs: number): number {
  return positive('leaseMs', leaseMs, LEASE_MS_MAX)
}

/** Whether two checked settings mean the same. */
export function same(a: Retention | DeliveryPolicy, b: Retention | DeliveryPolicy): boolean {
  const left = Object.entries(a)
  const right = new Map(Object.entries(b))
  return left.length === right.size && left.every(([key, value]) => right.get(key) === value)
}

function positive(what: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  throw new MillraceError('bad_request', `${what} must be a whole number from 1 to ${max}, not ${JSON.stringify(value)}`)
}

function checkKeys(what: string, value: object, known: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key))
      throw new MillraceError('bad_request', `${what} has no setting ${JSON.stringify(key)}; it has ${known.join(', ')}`)
  }
}
