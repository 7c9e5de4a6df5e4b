/** What a batch publishes, about: far below what a broker takes in one transaction. */
export const BATCH_BYTES: number = 1024 * 1024
export const BATCH_RECORDS = 1000
/** Messages that are read ahead, for each topic of a lane: so many batches. */
export const READ_AHEAD_BATCHES = 2
export const LEASE_MS = 30_000
/** How often it is extended within its time. */
export const LEASE_EXTENSIONS = 3
/** How long records stay in the topics that `key` makes. */
export const KEEP_MS: number = 7 * 86_400_000
/** How often an instance looks whether it has more than its share. */
export const BALANCE_MS = 500
/** For so many of these it keeps the state of a lane that it lost: it may come back as it was. */
export const KEPT_ROUNDS = 20
/** How often it looks whether a topic has got more partitions: every so many times. */
export const GROWTH_ROUNDS = 20
/** How far lanes of an instance may be apart in event time at least, where that matters: less would make batches of single records. */
export const ALIGNMENT_MS_LEAST = 1000
/** Before a commit that the broker could not take now is tried again: doubles from the first to the last. */
export const RETRY_MS_FIRST = 50
export const RETRY_MS_LAST = 5000
/** How often, and how far apart, a lane's message is looked for before it counts as lost. */
export const TOKEN_CHECKS = 10
export const TOKEN_CHECK_MS = 100
/** What progress begins with, so that it is there once: the window in which two first starts would have to coincide. */
export const SEED_WINDOW_MS: number = 30 * 86_400_000
