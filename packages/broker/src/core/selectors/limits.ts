import { KIB, MIB } from '../../base/units.ts'

export const SELECTOR_CHARACTERS_MAX = 16_384
/** Operators, names and literals; the texts of an IN list count once together. Bounds the work for one message. */
export const SELECTOR_NODES_MAX = 1_000
/** Parentheses, NOT and signs inside each other. Bounds the stack of the parser; the nodes bound that of the evaluation. */
export const SELECTOR_DEPTH_MAX = 64
/** With it a LIKE looks at each character of a value at most 32 times. */
export const LIKE_PATTERN_CHARACTERS_MAX = 1_024

export const CACHED_SELECTORS_MAX = 1_000
export const CACHED_SELECTOR_BYTES_MAX: number = 16 * MIB
/** What a compiled selector takes at most, estimated: the tables of LIKE come to about this, closures to less. */
export const SELECTOR_BYTES_PER_CHARACTER = 256
export const SELECTOR_BYTES: number = KIB
