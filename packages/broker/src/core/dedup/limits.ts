import { KIB, MINUTE_MS } from '../../base/units.ts'

export const WINDOW_MS_MAX: number = 30 * 24 * 60 * MINUTE_MS
/** Ids that a destination remembers, where its settings do not say. About 35 bytes each. */
export const ENTRIES_MAX_DEFAULT = 1_000_000
export const ENTRIES_MAX = 16_777_216
/** Of stored ids, docs/formats/dedup.md: what is said of a row, and each hash. */
export const ROW_BYTES = 20
export const HASH_BYTES = 16
/** Ids that wait for the commit to close before they are written at once. */
export const WAITING_IDS_MAX = 4096
/** Expired ids leave memory and disk no later than so long after the first of them expired, while nothing is published. */
export const SWEEP_MS = 10_000

/** Producers that are remembered; beyond, those unused for longest are forgotten. */
export const PRODUCERS_MAX = 100_000
/** Logs that one producer is remembered for; beyond, the one it has not written to for longest is forgotten. */
export const PRODUCER_LOGS_MAX = 1024
/** Runs of adjacent batches whose offsets are remembered, for each producer and log. */
export const RUNS_MAX = 5
export const PRODUCER_UNUSED_MINUTES_MAX: number = 7 * 24 * 60
export const PRODUCER_SWEEP_MS: number = 60 * MINUTE_MS
export const PRODUCER_NAME_BYTES_MAX = 1024
/** About what one batch of a producer adds to a commit. */
export const PRODUCER_CHANGE_BYTES = 64
export const PRODUCERS_LOG_BYTES_FLOOR: number = 256 * KIB
/** Where a producer's batch is in a queue with priorities is kept as its offset and so many for each level: 256 of them make 2^53. */
export const LEVEL_STEP: number = 2 ** 45
