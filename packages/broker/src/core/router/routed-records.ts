/** Records as exchanges see them: their headers have no types. */
import { encodeText, type RecordCursor, type RecordHeader, readHeaders } from '@millrace/wire'
import { moreKeysIn } from './more-keys.ts'
import type { HeaderValue, RoutedMessage } from './router.ts'

const NO_KEYS: readonly string[] = []
const decoder = new TextDecoder()

/** The record that a cursor stands on. Keep one for many: it remembers the names that were asked for. */
export class RoutedRecord implements RoutedMessage {
  readonly isText = true
  key = ''
  moreKeys: readonly string[] = NO_KEYS
  #record: RecordCursor | undefined
  readonly #names = new Map<string, Uint8Array>()

  /** @param key what it is routed by; undefined: its own key @param hasMoreKeys and by those that it says */
  show(record: RecordCursor, key: string | undefined, hasMoreKeys: boolean): this {
    this.#record = record
    this.key = key ?? keyOf(record)
    this.moreKeys = hasMoreKeys ? moreKeysIn(readHeaders(record.batch, record.headersAt, record.end)) : NO_KEYS
    return this
  }

  header(name: string): HeaderValue | undefined {
    const record = this.#record
    if (record === undefined) return undefined
    if (!this.#find(record, name)) return undefined
    return decoder.decode(record.batch.subarray(record.headerAt, record.headerAt + record.headerLength))
  }

  #find(record: RecordCursor, name: string): boolean {
    let encoded = this.#names.get(name)
    if (encoded === undefined) this.#names.set(name, (encoded = encodeText(name)))
    return record.findHeader(encoded)
  }
}

/** One that is not in a batch yet. */
export class RoutedHeaders implements RoutedMessage {
  readonly isText = true
  readonly key: string
  readonly moreKeys: readonly string[]
  readonly #headers: readonly RecordHeader[]

  constructor(key: string, moreKeys: readonly string[], headers: readonly RecordHeader[]) {
    this.key = key
    this.moreKeys = moreKeys
    this.#headers = headers
  }

  header(name: string): HeaderValue | undefined {
    const value = this.#headers.findLast(({ key }) => key === name)?.value
    return value === undefined || value === null ? undefined : decoder.decode(value)
  }
}

function keyOf({ batch, keyAt, keyLength }: RecordCursor): string {
  return keyLength <= 0 ? '' : decoder.decode(batch.subarray(keyAt, keyAt + keyLength))
}
