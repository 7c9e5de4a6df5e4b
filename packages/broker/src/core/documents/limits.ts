import { KIB, MIB } from '../../base/units.ts'

/** Of one document as JSON. */
export const DOCUMENT_BYTES_MAX: number = 256 * KIB
/** Of all of them together: they are in memory. */
export const ALL_DOCUMENTS_BYTES_MAX: number = 64 * MIB
/** What a document counts beside its text. */
export const DOCUMENT_OVERHEAD_BYTES = 256
/** Of the name of a collection, and of a key. */
export const DOCUMENT_NAME_BYTES_MAX = 1024
