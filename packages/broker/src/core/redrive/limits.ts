import { KIB } from '../../base/units.ts'

export const RUNNING_MAX = 64
/** Redrives that have ended and can still be asked about. */
export const ENDED_MAX = 100
/** Origins and reasons that are counted one by one; the others together. */
export const GROUPS_MAX = 1000
export const RATE_MAX = 1_000_000
/** A move is cut off when it has read or written so much, to share the turn. */
export const MOVE_BYTES: number = 128 * KIB
export const MOVE_RECORDS = 1024
/** What a move adds to the state log, at most: for every message, and beside. */
export const RUN_STATE_BYTES = 32
export const MOVE_STATE_BYTES: number = 4 * KIB
