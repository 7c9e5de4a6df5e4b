/** The one JSON shape of a message: in HTTP answers and events, in the `peek` call, and in what the command line prints. */
import { bytesToJson, encodeText, type JsonBytes, PRIORITY_HEADER, readPriority, type RecordReader } from '@millrace/wire'
import { DEAD_LETTER_HEADERS } from '../../core/delivery/dead-letter-headers.ts'

/** Text stays text, JSON stays JSON, anything else is base64 under another name. */
export interface MessageJson {
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  /** Absent when the message has no key. */
  readonly key?: string
  readonly keyBase64?: string
  readonly headers: Readonly<Record<string, JsonBytes>>
  /** Absent when the message has none. */
  readonly priority?: number
  /** Parsed when the content-type header says JSON; null for a tombstone. */
  readonly body?: unknown
  readonly bodyBase64?: string
  readonly attempt?: number
  readonly handle?: string
  /** Of a dead letter: what its headers tell. */
  readonly death?: DeathJson
}

export interface DeathJson {
  /** `max-attempts`, `rejected`, `lease-expired`, `expired` or `overflow`. */
  readonly reason: string
  /** How often it was delivered. */
  readonly attempts: number
  /** `queue:NAME` or `topic:NAME/SUBSCRIPTION`. */
  readonly source: string
  readonly partition: number
  readonly offset: number
  readonly timeMs: number
  /** The timestamp that it had. */
  readonly timestampMs: number
  /** What the consumer said last. */
  readonly error?: string
  /** How often it died since it was published or redriven. */
  readonly count: number
}

const headerSchema = {
  description: 'Text, or { "base64": ... } where the bytes are not UTF-8.',
  anyOf: [
    { type: 'string' },
    { type: 'object', properties: { base64: { type: 'string' } }, required: ['base64'] },
    { type: 'null' },
  ],
}

export const messageSchema: object = {
  type: 'object',
  properties: {
    partition: { type: 'integer' },
    offset: { type: 'integer' },
    timestampMs: { type: 'integer', description: 'Milliseconds since 1970.' },
    key: { type: 'string', description: 'Absent when the message has no key, or one that is not UTF-8.' },
    keyBase64: { type: 'string', description: 'The key, when it is not UTF-8.' },
    headers: { type: 'object', additionalProperties: headerSchema },
    priority: { type: 'integer', description: 'That of the header `priority`; absent when the message has none.' },
    body: { description: 'Any JSON value when the header content-type says JSON, otherwise text; null for a tombstone.' },
    bodyBase64: { type: 'string', description: 'The body, when it is not UTF-8.' },
    attempt: { type: 'integer', description: '1 on the first delivery. Only on messages that were received.' },
    handle: { type: 'string', description: 'Settle the message with it. Only on messages that were received.' },
    death: {
      type: 'object',
      description: 'Of a dead letter: what its headers tell.',
      properties: {
        reason: { type: 'string', description: '`max-attempts`, `rejected`, `lease-expired`, `expired` or `overflow`.' },
        attempts: { type: 'integer', description: 'How often it was delivered.' },
        source: { type: 'string', description: 'Where it died: `queue:NAME` or `topic:NAME/SUBSCRIPTION`.' },
        partition: { type: 'integer' },
        offset: { type: 'integer' },
        timeMs: { type: 'integer', description: 'When it died, milliseconds since 1970.' },
        timestampMs: { type: 'integer', description: 'The timestamp that it had.' },
        error: { type: 'string', description: 'What the consumer said last.' },
        count: { type: 'integer', description: 'How often it died since it was published or redriven.' },
      },
      required: ['reason', 'attempts', 'source', 'partition', 'offset', 'timeMs', 'timestampMs', 'count'],
    },
  },
  required: ['partition', 'offset', 'timestampMs', 'headers'],
}

export interface StoredBytes {
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

/** @param headers in order; of several with one name the last is shown */
export function messageToJson(stored: StoredBytes, headers: Iterable<readonly [string, Uint8Array | null]>): MessageJson {
  const { partition, offset, timestampMs, key, value } = stored
  // No prototype: header names are the sender's.
  const shown = Object.create(null) as Record<string, JsonBytes>
  for (const [name, bytes] of headers) shown[name] = bytesToJson(bytes)
  return {
    partition,
    offset,
    timestampMs,
    ...keyFields(bytesToJson(key)),
    headers: shown,
    ...priorityField(shown[PRIORITY_HEADER]),
    ...bodyFields(bytesToJson(value), shown['content-type']),
    ...deathFields(shown),
  }
}

/** The record that `reader` stands on. */
export function recordToJson(partition: number, offset: number, reader: RecordReader): MessageJson {
  const { timestampMs, key, value, headers } = reader
  return messageToJson(
    { partition, offset, timestampMs, key, value },
    headers.map((header) => [header.key, header.value]),
  )
}

function keyFields(key: JsonBytes): { key?: string; keyBase64?: string } {
  if (key === null) return {}
  return typeof key === 'string' ? { key } : { keyBase64: key.base64 }
}

function priorityField(value: JsonBytes | undefined): { priority?: number } {
  const priority = typeof value === 'string' ? readPriority(encodeText(value)) : undefined
  return priority === undefined ? {} : { priority }
}

function bodyFields(value: JsonBytes, contentType: JsonBytes | undefined): { body?: unknown; bodyBase64?: string } {
  if (value !== null && typeof value !== 'string') return { bodyBase64: value.base64 }
  if (value === null || typeof contentType !== 'string' || !isJson(contentType)) return { body: value }
  try {
    return { body: JSON.parse(value) }
  } catch {
    // The sender's label is wrong; the text is what there is.
    return { body: value }
  }
}

/** Somebody else may have written such headers: what is no number is 0. */
function deathFields(headers: Readonly<Record<string, JsonBytes>>): { death?: DeathJson } {
  const text = (key: string): string | undefined => {
    const value = headers[key]
    return typeof value === 'string' ? value : undefined
  }
  const number = (key: string): number => {
    const value = Number(text(key))
    return Number.isFinite(value) ? value : 0
  }
  const source = text(DEAD_LETTER_HEADERS.source)
  const reason = text(DEAD_LETTER_HEADERS.reason)
  if (source === undefined || reason === undefined) return {}
  const error = text(DEAD_LETTER_HEADERS.error)
  return {
    death: {
      reason,
      attempts: number(DEAD_LETTER_HEADERS.attempts),
      source,
      partition: number(DEAD_LETTER_HEADERS.partition),
      offset: number(DEAD_LETTER_HEADERS.offset),
      timeMs: number(DEAD_LETTER_HEADERS.time),
      timestampMs: number(DEAD_LETTER_HEADERS.timestamp),
      ...(error === undefined ? {} : { error }),
      count: number(DEAD_LETTER_HEADERS.count),
    },
  }
}

/** `application/json`, `application/problem+json; charset=utf-8`, ... */
export function isJson(contentType: string): boolean {
  return /^[\w.+-]+\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType.trim())
}
