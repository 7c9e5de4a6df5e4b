import type { Cleanup, Retention } from './broker.ts'
import type { DefinitionCell } from './definitions.ts'
import type { DeliveryGroup } from './delivery/delivery-group.ts'
import type { LogTail } from './log-tail.ts'
import type { QueueLevels } from './priorities/queue-levels.ts'
import type { PublishTarget } from './publish-target.ts'
import type { Labels } from './router/router.ts'
import type { StateCell } from './state/state-log.ts'

export interface Topic {
  readonly id: number
  readonly name: string
  readonly cell: DefinitionCell
  /** By partition; grows. */
  readonly tails: LogTail[]
  readonly target: PublishTarget
  readonly subscriptions: Map<string, Subscription>
  retention: Retention
  cleanup: Cleanup
  labels: Labels | undefined
}

export interface Queue {
  readonly id: number
  readonly name: string
  readonly cell: DefinitionCell
  readonly levels: QueueLevels
  readonly target: PublishTarget
  readonly group: DeliveryGroup
  /** Deleted when it was not used for so long. */
  expireMs: number | undefined
  /** false: it is gone when the broker opens its data again. */
  durable: boolean
  /** Deleted when its last consumer leaves. */
  autoDelete: boolean
  labels: Labels | undefined
}

export interface Subscription {
  readonly id: number
  readonly topic: Topic
  readonly name: string
  readonly cell: DefinitionCell
  readonly group: DeliveryGroup
}

/** What the state log is to keep of a queue or subscription that a restart brought back. */
export interface Restored {
  readonly cell: StateCell
  readonly cursors: readonly StateCell[]
}
