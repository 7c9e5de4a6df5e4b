import { ERROR_TEXT_CHARACTERS_MAX } from '../limits.ts'

export const TRANSACTION_ACTIONS_MAX = 10_000
export const MULTICAST_DESTINATIONS_MAX = 1024

/** What an append takes in a commit besides its batch, and each log beyond the first that shares it, at most. */
export const APPEND_BYTES = 64
export const SHARER_BYTES = 16
/** What the end of a scheduled message adds to a commit, at most. */
export const CANCEL_BYTES = 128
/** What a settle adds to a commit, at most: its part of the cursor's delta, a trim; and the text that goes with it. */
export const SETTLE_BYTES = 320
export const SETTLE_TEXT_BYTES_MAX: number = 3 * ERROR_TEXT_CHARACTERS_MAX
