import type { LogId } from '../storage/log-store.ts'
import type { QuotaSpec } from './quotas/quotas.ts'

/** The entity of the broker itself in the state log. Topics, queues and subscriptions have higher ones. */
export const BROKER_ENTITY = 0
/** The part of it that is the schedule's. */
export const SCHEDULE_PART = 1

/** What the broker knows of itself, made once and kept with its data. */
export interface BrokerDefinition {
  readonly kind: 'broker'
  readonly id: string
  /** The log of idempotent producers, once there was one. */
  readonly producers?: LogId
  /** The log of committed offsets, once there was one. */
  readonly offsets?: LogId
  /** The log of transactional producers, once there was one. */
  readonly transactions?: LogId
  readonly quotas?: readonly QuotaSpec[]
}
