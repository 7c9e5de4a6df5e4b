import { PRIORITY_MAX } from '@millrace/wire'

/** How many a queue may have. */
export const PRIORITIES_MAX: number = PRIORITY_MAX + 1
/** What the first message of a level adds to a commit, at most: a log, and a share of the queue's definition. */
export const LEVEL_BYTES = 128
/** The definition of a queue whose levels are all used. */
export const DEFINITION_BYTES = 6144
/** What each part of a batch has beside its records, in a commit. */
export const PART_BYTES = 128
