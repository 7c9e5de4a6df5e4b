import { BACKOFF_MS_MAX } from '@millrace/wire'
import { KIB, MINUTE_MS } from '../base/units.ts'
import type { LogStoreLimits } from '../storage/log-store.ts'
import type { BrokerLimits } from './broker.ts'

/** Of topics and subscriptions. */
export const NAME_BYTES_MAX = 249
/** Of queues and exchanges. */
export const TEXT_NAME_BYTES_MAX = 255

/** Room that a batch leaves for the headers which a dead letter gets. */
const DEAD_LETTER_HEADER_BYTES_MAX: number = 4 * KIB

export const LEASE_MS_DEFAULT: number = MINUTE_MS
export const LEASE_MS_MAX: number = 7 * 24 * 60 * MINUTE_MS
export const NACK_DELAY_MS_MAX: number = BACKOFF_MS_MAX
/** Of an error or reason text that a consumer sends. The rest is cut off. */
export const ERROR_TEXT_CHARACTERS_MAX = 512

/** What a reader with a filter looks at before others get their turn. */
export const SEARCH_RECORDS = 1024
export const SEARCH_BYTES: number = 256 * KIB
/** How many messages such a reader reads ahead for. */
export const SEARCH_AHEAD = 1024

export const STATE_LOG_BYTES_FLOOR: number = 512 * KIB

/** What `openBroker` may be told to change. */
export interface LimitSettings extends Partial<BrokerLimits> {
  /** The state log is not compacted while it is smaller than this. */
  readonly stateLogBytesFloor?: number
  /** Delayed messages that are due next, in memory, about. */
  readonly scheduledBytesMax?: number
}

export function brokerLimits(settings: LimitSettings, store: LogStoreLimits): BrokerLimits {
  const batchBytesMax = store.batchBytesMax - DEAD_LETTER_HEADER_BYTES_MAX
  return {
    batchBytesMax: Math.min(settings.batchBytesMax ?? batchBytesMax, batchBytesMax),
    nameBytesMax: NAME_BYTES_MAX,
    partitionsMax: settings.partitionsMax ?? 1024,
    queuesMax: settings.queuesMax ?? 1_000_000,
    inFlightPerConsumerMax: settings.inFlightPerConsumerMax ?? 262_144,
  }
}
