import type { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { MemoryGauge } from '../ports/memory.ts'
import type { Platform } from '../ports/platform.ts'
import type { LogId, LogStore } from '../storage/log-store.ts'
import type { BrokerLimits } from './broker.ts'
import { CommitCycle } from './commit-cycle.ts'
import { WindowBudget } from './delivery/batch-window.ts'
import { Producers } from './dedup/producers.ts'
import type { DeliveryChanges } from './delivery/delivery-changes.ts'
import { ExpirySweep } from './delivery/expiry-sweep.ts'
import { RetryPolicies } from './delivery/retry-runs.ts'
import { type DeliveryCounters, newCounters } from './delivery/delivery-state.ts'
import { CommittedOffsets } from './groups/committed-offsets.ts'
import { Deletions } from './deletions.ts'
import { Dispatcher } from './dispatcher.ts'
import { PlainBatches } from './plain-batches.ts'
import { PlainLogStore } from './plain-log-store.ts'
import type { Decompress } from '../ports/decompress.ts'
import { SelectorCache } from './selectors/selector-cache.ts'
import { Schedule } from './schedule/schedule.ts'
import type { ScheduleState } from './schedule/schedule-state.ts'
import type { StateLog } from './state/state-log.ts'
import { CoreShortages } from './shortages.ts'
import { Timers } from './timers.ts'

/** What everything that lives over one journal shares. */
export interface Shard {
  /** Of the broker: see `Broker.id`. */
  readonly id: string
  /** Its batches are plain when they are read. */
  readonly store: LogStore
  /** The same, with batches as they are stored. */
  readonly stored: LogStore
  readonly plain: PlainBatches
  readonly platform: Platform
  readonly crc32c: Crc32c
  readonly limits: BrokerLimits
  readonly stateLog: StateLog
  readonly cycle: CommitCycle
  readonly dispatcher: Dispatcher
  readonly timers: Timers
  readonly windows: WindowBudget
  readonly selectors: SelectorCache
  readonly retries: RetryPolicies
  readonly expiry: ExpirySweep
  readonly producers: Producers
  readonly offsets: CommittedOffsets
  readonly schedule: Schedule
  readonly deletions: Deletions
  readonly shortages: CoreShortages
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
  readonly decompress: Decompress
  readonly memory: MemoryGauge | undefined
  readonly limits: BrokerLimits
  readonly stateLog: StateLog
  /** As a restart found it. */
  readonly scheduled: ScheduleState
  /** Of the schedule: see `LimitSettings`. */
  readonly scheduledBytesMax: number
  readonly warn: (message: string) => void
  /** The log of producers is made in the open commit. */
  readonly onProducersLog: (log: LogId) => void
  /** The log of committed offsets is. */
  readonly onOffsetsLog: (log: LogId) => void
}

export function newShard(parts: ShardParts): Shard {
  const {
    onProducersLog: onLogCreated,
    onOffsetsLog,
    scheduled,
    scheduledBytesMax,
    decompress,
    memory,
    store: stored,
    ...shared
  } = parts
  const { platform, crc32c, stateLog, warn, limits } = shared
  const plain = new PlainBatches(decompress, crc32c, limits.batchBytesMax)
  const store = new PlainLogStore(stored, plain)
  const dispatcher = new Dispatcher(platform.scheduler)
  const timers = new Timers(platform.clock, platform.scheduler)
  const cycle = new CommitCycle(store, stateLog, platform.clock, () => dispatcher.run())
  const windows = new WindowBudget()
  const scheduleHome = { store, platform, crc32c, stateLog, cycle, dispatcher, timers, windows, warn }
  return {
    ...shared,
    store,
    stored,
    plain,
    dispatcher,
    cycle,
    expiry: new ExpirySweep({ store, platform, warn, bound: () => cycle.bound() }),
    timers,
    producers: new Producers({ store, platform, crc32c, cycle, timers, onLogCreated }),
    offsets: new CommittedOffsets({ store, clock: platform.clock, crc32c, cycle, onLogCreated: onOffsetsLog }),
    schedule: new Schedule(scheduleHome, scheduled, scheduledBytesMax),
    windows,
    selectors: new SelectorCache(),
    retries: new RetryPolicies(),
    deletions: new Deletions(),
    shortages: new CoreShortages(stored, memory),
    changes: [],
    refusal: undefined,
    totals: { ...newCounters(), published: 0, publishedBytes: 0, consumers: 0 },
  }
}
