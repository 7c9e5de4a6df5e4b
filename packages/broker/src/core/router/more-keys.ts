/**
 * Keys by which a message was routed beside its own: a header with a JSON array of texts (docs/mapping.md). Whoever routes it again, after its death
 * or after a wait, uses them as well.
 */
import { encodeText, MORE_KEYS_HEADER, type RecordHeader } from '@millrace/wire'

const NO_KEYS: readonly string[] = []
const decoder = new TextDecoder()

/** Anybody may write a header of that name: what is no array of texts says nothing. */
export function moreKeysIn(headers: readonly RecordHeader[]): readonly string[] {
  const value = headers.findLast(({ key }) => key === MORE_KEYS_HEADER)?.value
  if (value === undefined || value === null) return NO_KEYS
  try {
    const keys: unknown = JSON.parse(decoder.decode(value))
    return Array.isArray(keys) ? keys.filter((key): key is string => typeof key === 'string') : NO_KEYS
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return NO_KEYS
  }
}

export function moreKeysHeader(keys: readonly string[]): RecordHeader {
  return { key: MORE_KEYS_HEADER, value: encodeText(JSON.stringify(keys)) }
}
