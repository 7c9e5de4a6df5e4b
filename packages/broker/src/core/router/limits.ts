import { KIB, MIB } from '../../base/units.ts'

export const BINDINGS_MAX = 1_000_000
/** Of a binding, in UTF-8. */
export const BINDING_KEY_BYTES_MAX = 255
export const MATCHED_HEADERS_MAX = 256
/** The headers that a binding matches, as JSON. */
export const JSON_BYTES_MAX: number = 64 * KIB
export const WEIGHT_MAX = 1_000_000

/** Nodes of tries and bindings that the search for one route looks at. Patterns that need more are refused when a message meets them. */
export const SEARCH_STEPS_MAX = 1_000_000
/** Routes that an exchange remembers by key. Beyond, it begins anew. */
export const CACHED_KEYS_MAX = 16_384
/** Longer keys are not remembered. */
export const CACHED_KEY_LENGTH_MAX = 512
/** Different routes that an exchange keeps. Beyond, it begins anew. */
export const ROUTES_MAX = 16_384
/** Logs that share one stored copy. More get another. */
export const SHARERS_MAX = 1024

/** What a definition takes in a commit beside its JSON, and what the end of one does, at most. */
export const DEFINITION_BYTES = 64
export const REMOVAL_BYTES = 48

/** Copies of what is due, beyond which they are not published in one commit. */
export const DUE_BYTES_MAX: number = 16 * MIB

/** A message is delayed so long at most. */
export const DELAY_MS_MAX: number = 100 * 365 * 24 * 3600 * 1000

/** Runs of records with one route that a batch for an exchange is gathered into at a time. */
export const OPEN_RUNS_MAX = 64
