import {
  EXPIRES_AT_HEADER,
  PRIORITY_HEADER,
  PRIORITY_MAX,
  priorityHeader,
  type RecordHeader,
  RETRY_HEADER,
  retryFault,
  retryHeader,
  type RetryPolicy,
} from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { textHeader } from '../../core/delivery/dead-letter-headers.ts'
import { retryPolicy } from '../../protocols/api/definition-schemas.ts'
import { check, type ObjectSchema, type Typed, typed } from '../../protocols/api/json-schema.ts'
import { isJson } from '../../protocols/api/message-json.ts'
import { parseJson } from './body.ts'

/** A message as it was asked to be published. */
export interface NewMessage {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
  /** Default: now. */
  readonly timestampMs: number | undefined
  /** It expires so long after its timestamp. */
  readonly ttlMs: number | undefined
}

export interface PublishRequest {
  readonly messages: readonly NewMessage[]
  /** Whether the answer is a list of receipts. */
  readonly isBatch: boolean
}

export const MESSAGES_MAX = 10_000
const HEADER_PREFIX = 'millrace-header-'
const encoder = new TextEncoder()

/** `body` may be any JSON value, which the schema kit has no word for: it is taken out before the rest is checked. */
interface MessageFields {
  readonly bodyBase64?: string
  readonly key?: string
  readonly keyBase64?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly timestampMs?: number
  readonly ttlMs?: number
  readonly priority?: number
  readonly retry?: RetryPolicy
}

export const ttlSchema = {
  type: 'integer',
  minimum: 1,
  description:
    'So long after its timestamp the message is not delivered any more. Default: the policy of the queue or subscription.',
} as const

interface PrioritySchema {
  readonly type: 'integer'
  readonly minimum: number
  readonly maximum: number
  readonly description: string
}

export const prioritySchema: PrioritySchema = {
  type: 'integer',
  minimum: 0,
  maximum: PRIORITY_MAX,
  description: 'Queues with `priorities` deliver higher ones first. Stored as the header `priority`. Default 0.',
}

const messageFields: Typed<MessageFields, ObjectSchema> = typed({
  type: 'object',
  properties: {
    bodyBase64: { type: 'string', description: 'The body as base64, for bytes that are not text.' },
    key: { type: 'string', description: 'Messages with the same key stay in order.' },
    keyBase64: { type: 'string', description: 'The key as base64.' },
    headers: { type: 'object', properties: {}, additionalProperties: { type: 'string' } },
    timestampMs: { type: 'integer', minimum: 0, description: 'Milliseconds since 1970. Default: now.' },
    ttlMs: ttlSchema,
    priority: prioritySchema,
    retry: retryPolicy,
  },
  additionalProperties: false,
})

export const newMessageSchema: object = {
  ...messageFields,
  properties: {
    body: {
      description:
        'Text is stored as it is, null as a tombstone, any other value as JSON with the header content-type: application/json.',
    },
    ...messageFields.properties,
  },
}

export interface RawPublish {
  readonly contentType: string | undefined
  readonly body: Uint8Array
  /** Of the request, lower-case. */
  readonly headers: Iterable<readonly [string, string]>
  readonly key: string | undefined
  readonly timestampMs: number | undefined
  readonly ttlMs: number | undefined
  readonly priority: number | undefined
  readonly retry: RetryPolicy | undefined
  /** `true` and `false` override what the content type and the body look like. */
  readonly batch: boolean | undefined
}

/**
 * What a publish request means. NDJSON is a batch, one message a line; so is JSON of the shape { "messages": [...] };
 * anything else is the body of one message, byte for byte.
 * @throws MillraceError `bad_request`
 */
export function readPublishRequest(raw: RawPublish): PublishRequest {
  const contentType = raw.contentType?.trim() ?? ''
  if (raw.batch !== false) {
    if (/^application\/(x-)?ndjson\b/i.test(contentType)) return { messages: parseLines(raw.body), isBatch: true }
    if (raw.batch === true || isJson(contentType)) {
      const document = raw.batch === true || looksLikeBatch(raw.body) ? parseJson(raw.body, 'The body') : undefined
      if (isBatchDocument(document)) return { messages: parseMessages(document.messages), isBatch: true }
      if (raw.batch === true)
        throw new MillraceError(
          'bad_request',
          'A batch is a JSON object { "messages": [ ... ] } or NDJSON with content-type application/x-ndjson.',
        )
    }
  }
  return { messages: [singleMessage(raw, contentType)], isBatch: false }
}

function singleMessage(raw: RawPublish, contentType: string): NewMessage {
  const headers: RecordHeader[] = []
  // What `curl -d` says about bytes of any kind tells nothing about them.
  if (contentType !== '' && !/^application\/x-www-form-urlencoded\b/i.test(contentType))
    headers.push(textHeader('content-type', contentType))
  for (const [name, value] of raw.headers) {
    // Node hands header bytes over as latin1.
    if (name.startsWith(HEADER_PREFIX))
      headers.push({ key: name.slice(HEADER_PREFIX.length), value: Buffer.from(value, 'latin1') })
  }
  return {
    key: raw.key === undefined ? null : encoder.encode(raw.key),
    value: raw.body,
    headers: withRetry(withPriority(headers, raw.priority), raw.retry),
    timestampMs: raw.timestampMs,
    ttlMs: raw.ttlMs,
  }
}

function parseLines(body: Uint8Array): NewMessage[] {
  const messages: unknown[] = []
  for (let from = 0, line = 1; from < body.length; line++) {
    const end = body.indexOf(10, from)
    const to = end < 0 ? body.length : end
    const entry = parseJson(trimmed(body, from, to), `Line ${line}`)
    if (entry !== undefined) messages.push(entry)
    if (messages.length > MESSAGES_MAX) throw tooMany()
    from = to + 1
  }
  return parseMessages(messages)
}

/** Without the carriage return of a CRLF line. */
function trimmed(body: Uint8Array, from: number, to: number): Uint8Array {
  return body.subarray(from, to > from && body[to - 1] === 13 ? to - 1 : to)
}

function parseMessages(entries: readonly unknown[]): NewMessage[] {
  if (entries.length === 0) throw new MillraceError('bad_request', 'The batch has no messages.')
  if (entries.length > MESSAGES_MAX) throw tooMany()
  return entries.map((entry, n) => parseMessage(entry, `message ${n + 1} of the batch`))
}

/** @throws MillraceError `bad_request` */
export function parseMessage(entry: unknown, what: string): NewMessage {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw new MillraceError('bad_request', `In ${what}: it must be an object such as { "body": "hello" }.`)
  }
  const { body, ...rest } = entry as { readonly body?: unknown }
  const fields = check(messageFields, rest, what)
  if ((body === undefined) === (fields.bodyBase64 === undefined)) {
    throw new MillraceError('bad_request', `In ${what}: it must have either \`body\` or \`bodyBase64\`.`)
  }
  if (fields.key !== undefined && fields.keyBase64 !== undefined) {
    throw new MillraceError('bad_request', `In ${what}: it can have \`key\` or \`keyBase64\`, not both.`)
  }
  const headers = Object.entries(fields.headers ?? {}).map(([name, value]) => textHeader(name, value))
  const isDocument = body !== undefined && body !== null && typeof body !== 'string'
  if (isDocument && !headers.some(({ key }) => key === 'content-type'))
    headers.push(textHeader('content-type', 'application/json'))
  return {
    key:
      fields.key !== undefined
        ? encoder.encode(fields.key)
        : fields.keyBase64 !== undefined
          ? base64(fields.keyBase64, what)
          : null,
    value:
      fields.bodyBase64 !== undefined
        ? base64(fields.bodyBase64, what)
        : body === null
          ? null
          : encoder.encode(typeof body === 'string' ? body : JSON.stringify(body)),
    headers: withRetry(withPriority(headers, fields.priority), fields.retry, `In ${what}: retry`),
    timestampMs: fields.timestampMs,
    ttlMs: fields.ttlMs,
  }
}

/** Cheap enough for every JSON message: only a document that begins like a batch is parsed. */
function looksLikeBatch(body: Uint8Array): boolean {
  return /^\s*\{\s*"messages"\s*:\s*\[/.test(
    Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, 64)).toString('latin1'),
  )
}

function isBatchDocument(document: unknown): document is { readonly messages: readonly unknown[] } {
  return (
    typeof document === 'object' &&
    document !== null &&
    Object.keys(document).length === 1 &&
    Array.isArray((document as { messages?: unknown }).messages)
  )
}

function withPriority(headers: readonly RecordHeader[], priority: number | undefined): readonly RecordHeader[] {
  if (priority === undefined) return headers
  return [...headers.filter(({ key }) => key !== PRIORITY_HEADER), priorityHeader(priority)]
}

/** The schema has looked at a message of a batch; limits of a query are looked at here. */
function withRetry(
  headers: readonly RecordHeader[],
  retry: RetryPolicy | undefined,
  name: string = 'retry',
): readonly RecordHeader[] {
  if (retry === undefined) return headers
  const fault = retryFault(name, retry)
  if (fault !== undefined) throw new MillraceError('bad_request', fault)
  const own = retryHeader(retry)
  if (own === undefined) return headers
  return [...headers.filter(({ key }) => key !== RETRY_HEADER), textHeader(own.key, own.value as string)]
}

/** The headers of a message with the one that says when it expires. */
export function headersWithExpiry(message: NewMessage, timestampMs: number): readonly RecordHeader[] {
  const { headers, ttlMs } = message
  if (ttlMs === undefined) return headers
  return [...headers.filter(({ key }) => key !== EXPIRES_AT_HEADER), textHeader(EXPIRES_AT_HEADER, String(timestampMs + ttlMs))]
}

function base64(text: string, what: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text))
    throw new MillraceError('bad_request', `In ${what}: it has base64 that is not valid.`)
  return Buffer.from(text, 'base64')
}

function tooMany(): MillraceError {
  return new MillraceError('bad_request', `The batch has more than ${MESSAGES_MAX} messages; send several requests.`)
}
