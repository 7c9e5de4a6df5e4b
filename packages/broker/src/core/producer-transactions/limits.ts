import { DAY_MS, GIB, HOUR_MS, KIB, MINUTE_MS } from '../../base/units.ts'
import type { TransactionLimits } from './producer-transactions.ts'

export const transactionDefaults: TransactionLimits = {
  timeoutMsMax: 15 * MINUTE_MS,
  producersMax: 100_000,
  partitionsMax: 1000,
  bytesMax: GIB,
  openBytesMax: 16 * GIB,
  unusedMs: 7 * DAY_MS,
}

export const TRANSACTIONAL_ID_BYTES_MAX = 1024
/** Offsets that one transaction commits, as they are stored. */
export const ADDED_OFFSETS_BYTES_MAX: number = 128 * KIB
/** A transaction that does not fit into one commit is published in pieces of this size. */
export const PIECE_BYTES_MAX: number = 1024 * KIB
/** What is read of it at once. */
export const READ_BYTES: number = 256 * KIB

/** What a stored batch takes beside its bytes, at most. */
export const STAGED_ENTRY_BYTES = 256
/** About what a change of a producer adds to a commit, and each partition that it names. */
export const CHANGE_BYTES = 128
export const ENLISTED_BYTES = 16
export const TRANSACTIONS_LOG_BYTES_FLOOR: number = 256 * KIB
/** Committed transactions that are read into memory at the same time; of the others only the beginning. */
export const PUBLICATIONS_READING_MAX = 8
/** One commit forgets so many producers at most. */
export const FORGOTTEN_PER_SWEEP_MAX = 1000
export const UNUSED_SWEEP_MS: number = HOUR_MS
/** The last epoch that is given; after it comes a new producer id. Kafka clients take 2^15 - 1 for the end of an id. */
export const EPOCH_MAX = 0x7ffe
