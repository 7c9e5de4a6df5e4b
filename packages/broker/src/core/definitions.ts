/** Settings of topics, queues and subscriptions: what is allowed, and their stored JSON form (docs/formats/state-log.md). */
import { MillraceError } from '../base/errors.ts'
import type { LogId } from '../storage/log-store.ts'
import type { BrokerLimits, Cleanup, Retention } from './broker.ts'
import type { BrokerDefinition } from './broker-identity.ts'
import type { DocumentDefinition } from './documents/stored-documents.ts'
import type { DedupDefinition } from './dedup/dedup-settings.ts'
import type { CompactionState } from './log-tail.ts'
import type { CheckedDelivery } from './delivery-policy.ts'
import type { BindingDefinition } from './router/binding-spec.ts'
import type { ExchangeDefinition } from './router/exchange-spec.ts'
import type { SubscriptionGroupDefinition } from './subscription-groups/subscription-groups.ts'
import type { CheckedLimits } from './delivery/queue-limit.ts'
import type { Labels } from './router/router.ts'
import { checkKeys, oneOf, positive } from './settings.ts'
import type { ByteWriter } from './state/bytes.ts'
import { StateCell } from './state/state-log.ts'

export type Definition =
  | BrokerDefinition
  | TopicDefinition
  | QueueDefinition
  | SubscriptionDefinition
  | SubscriptionGroupDefinition
  | ExchangeDefinition
  | BindingDefinition
  | DocumentDefinition

export interface TopicDefinition {
  readonly kind: 'topic'
  readonly name: string
  /** By partition. */
  readonly logs: readonly LogId[]
  readonly retention: Retention
  readonly cleanup: Cleanup
  readonly batchBytesMax?: number
  /** By partition; where it was compacted. */
  readonly compaction?: readonly (CompactionState | null)[]
  readonly dedup?: DedupDefinition
  readonly labels?: Labels
}

export interface QueueDefinition {
  readonly kind: 'queue'
  readonly name: string
  readonly log: LogId
  readonly delivery: CheckedDelivery
  /** Levels that there may be, when there are more than one; and the logs of those that are used, beside level 0, whose log is `log`. */
  readonly priorities?: number
  readonly levels?: readonly (readonly [level: number, log: LogId])[]
  readonly dedup?: DedupDefinition
  readonly expireMs?: number
  readonly limits?: CheckedLimits
  /** Absent where it is the default. */
  readonly durable?: boolean
  readonly autoDelete?: boolean
  readonly labels?: Labels
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
export function checkCleanup(cleanup: Cleanup | undefined): Cleanup {
  return cleanup === undefined ? 'delete' : oneOf('cleanup', cleanup, ['delete', 'compact', 'compact,delete'])
}

export function isCompacted(cleanup: Cleanup): boolean {
  return cleanup !== 'delete'
}

/** @returns undefined for that of the broker @throws MillraceError `bad_request` */
export function checkBatchBytes(batchBytesMax: number | undefined, limits: BrokerLimits): number | undefined {
  if (batchBytesMax === undefined || batchBytesMax === 0) return undefined
  return positive('batchBytesMax', batchBytesMax, limits.batchBytesMax)
}

/** @throws MillraceError `bad_request` */
export function checkExpiry(expireMs: number | undefined): number | undefined {
  if (expireMs === undefined || expireMs === 0) return undefined
  return positive('expireMs', expireMs, Number.MAX_SAFE_INTEGER)
}

/** Whether two checked settings mean the same. */
export function same(a: object, b: object): boolean {
  const left = Object.entries(a)
  const right = new Map(Object.entries(b))
  return left.length === right.size && left.every(([key, value]) => sameValue(value, right.get(key)))
}

function sameValue(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && a !== null && b !== null && same(a, b))
}
