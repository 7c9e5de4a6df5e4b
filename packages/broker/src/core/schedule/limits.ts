import { KIB, MIB } from '../../base/units.ts'

/** Batches that are due next, in memory. Of a slot that has more, a part is loaded at a time. */
export const LOADED_BYTES_MAX: number = 32 * MIB
/** Publishes with so short a delay that they go there at once are refused when so many times as much is there already. */
export const LOADED_OVERLOAD_FACTOR = 4
/** What a loaded batch takes beside its bytes, about. */
export const LOADED_ENTRY_BYTES = 250

/** One share of work: batches that are published, and bytes that are published, moved or loaded. */
export const SHARE_ENTRIES_MAX = 1024
export const SHARE_BYTES_MAX: number = 256 * KIB
/** Entries are stored together up to this size. */
export const ENTRIES_BYTES_MAX: number = 64 * KIB

/** The wall clock is looked at so often while something is scheduled, because it may be set. */
export const LOOK_MS = 10_000
