/** What the decoder refuses before it takes memory for it. */

/** Elements of one array; each takes a byte at least, so the message bounds them too. */
export const ARRAY_ELEMENTS_MAX = 1_000_000
export const TAGGED_FIELDS_MAX = 10_000
