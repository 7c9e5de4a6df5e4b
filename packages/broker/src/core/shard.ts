import type { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { Platform } from '../ports/platform.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { BrokerLimits } from './broker.ts'
import { CommitCycle } from './commit-cycle.ts'
import { WindowBudget } from './delivery/batch-window.ts'
import type { DeliveryChanges } from './delivery/delivery-changes.ts'
import { type DeliveryCounters, newCounters } from './delivery/delivery-state.ts'
import { Dispatcher } from './dispatcher.ts'
import type { StateLog } from './state/state-log.ts'
import { Timers } from './timers.ts'

/** What everything that lives over one journal shares. */
export interface Shard {
  /** Of the broker: see `Broker.id`. */
  readonly id: string
  readonly store: LogStore
  readonly platform: Platform
  readonly crc32c: Crc32c
  readonly limits: BrokerLimits
  readonly stateLog: StateLog
  readonly cycle: CommitCycle
  readonly dispatcher: Dispatcher
  readonly timers: Timers
  readonly windows: WindowBudget
  /** Spare objects. */
  readonly changes: DeliveryChanges[]
  /** Since the broker started, over all queues and subscriptions. */
  readonly totals: Totals
  readonly warn: (message: string) => void
  /** Why nothing new is accepted any more. */
  refusal: MillraceError | undefined
}

interface Totals extends DeliveryCounters {
  published: number
  publishedBytes: number
  consumers: number
}

export interface ShardParts {
  readonly id: string
  readonly store: LogStore
  readonly platform: Platform
  readonly crc32c: Crc32c
  readonly limits: BrokerLimits
  readonly stateLog: StateLog
  readonly warn: (message: string) => void
}

export function newShard(parts: ShardParts): Shard {
  const dispatcher = new Dispatcher(parts.platform.scheduler)
  return {
    ...parts,
    dispatcher,
    cycle: new CommitCycle(parts.store, parts.stateLog, () => dispatcher.run()),
    timers: new Timers(parts.platform.clock, parts.platform.scheduler),
    windows: new WindowBudget(),
    changes: [],
    refusal: undefined,
    totals: { ...newCounters(), published: 0, publishedBytes: 0, consumers: 0 },
  }
}
