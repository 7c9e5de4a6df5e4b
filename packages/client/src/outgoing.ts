// hot path (bench/src/native.ts)
import { encodeText, EXPIRES_AT_HEADER, PRIORITY_HEADER, PRIORITY_MAX, priorityHeader, type RecordHeader } from '@millrace/wire'
import type { Body, PublishOptions } from './api.ts'
import { MillraceError } from './errors.ts'

const JSON_HEADER: RecordHeader = { key: 'content-type', value: encodeText('application/json') }
const JSON_HEADERS: readonly RecordHeader[] = [JSON_HEADER]
const NO_HEADERS: readonly RecordHeader[] = []

/** Whether a body is sent as JSON, which a header then says. */
function isJson(body: Body): boolean {
  return typeof body !== 'string' && !(body instanceof Uint8Array)
}

/** Bytes of a body. Bytes are borrowed, not copied. @throws TypeError for what JSON cannot hold */
export function encodeBody(body: Body): Uint8Array {
  if (body instanceof Uint8Array) return body
  if (typeof body === 'string') return encodeText(body)
  const text = JSON.stringify(body) as string | undefined
  if (text === undefined)
    throw new TypeError(`A body of type ${typeof body} cannot be sent: pass bytes, a string, or what JSON can hold.`)
  return encodeText(text)
}

export function encodeKey(key: string | Uint8Array | undefined): Uint8Array | null {
  if (key === undefined) return null
  return typeof key === 'string' ? encodeText(key) : key
}

/**
 * All headers of a message.
 * @param timestampMs from when its `ttlMs` counts
 * @throws MillraceError `bad_request`
 */
export function messageHeaders(body: Body, options: PublishOptions, timestampMs: number): readonly RecordHeader[] {
  const { priority, ttlMs } = options
  let headers = encodeHeaders(body, options.headers)
  if (priority !== undefined) headers = withPriority(headers, priority)
  return ttlMs === undefined ? headers : withExpiry(headers, timestampMs, ttlMs)
}

export function encodeHeaders(body: Body, headers: PublishOptions['headers']): readonly RecordHeader[] {
  if (headers === undefined) return isJson(body) ? JSON_HEADERS : NO_HEADERS
  const list: RecordHeader[] = []
  let typed = false
  for (const key of Object.keys(headers)) {
    const value = headers[key]!
    typed ||= key.length === JSON_HEADER.key.length && key.toLowerCase() === JSON_HEADER.key
    list.push({ key, value: typeof value === 'string' ? encodeText(value) : value })
  }
  if (!typed && isJson(body)) list.push(JSON_HEADER)
  return list
}

/**
 * Headers of a message, with the one that says when it expires.
 * @throws MillraceError `bad_request`
 */
function withExpiry(headers: readonly RecordHeader[], timestampMs: number, ttlMs: number): readonly RecordHeader[] {
  if (!(ttlMs >= 1) || ttlMs === Infinity)
    throw new MillraceError('bad_request', `\`ttlMs\` is a number of milliseconds from 1 on, not ${ttlMs}.`)
  const value = encodeText(String(Math.ceil(timestampMs + ttlMs)))
  return [...headers.filter((header) => header.key !== EXPIRES_AT_HEADER), { key: EXPIRES_AT_HEADER, value }]
}

/**
 * Headers of a message, with the one that says how urgent it is.
 * @throws MillraceError `bad_request`
 */
export function withPriority(headers: readonly RecordHeader[], priority: number): readonly RecordHeader[] {
  if (!Number.isInteger(priority) || priority < 0 || priority > PRIORITY_MAX) {
    throw new MillraceError('bad_request', `\`priority\` is a whole number from 0 to ${PRIORITY_MAX}, not ${String(priority)}.`)
  }
  const header = priorityHeader(priority)
  return headers.length === 0 ? [header] : [...headers.filter((other) => other.key !== PRIORITY_HEADER), header]
}
