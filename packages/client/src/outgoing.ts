// hot path (bench/src/native.ts)
import { encodeText, EXPIRES_AT_HEADER, type RecordHeader } from '@millrace/wire'
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
export function withExpiry(headers: readonly RecordHeader[], timestampMs: number, ttlMs: number): readonly RecordHeader[] {
  if (!(ttlMs >= 1) || ttlMs === Infinity)
    throw new MillraceError('bad_request', `\`ttlMs\` is a number of milliseconds from 1 on, not ${ttlMs}.`)
  const value = encodeText(String(Math.ceil(timestampMs + ttlMs)))
  return [...headers.filter((header) => header.key !== EXPIRES_AT_HEADER), { key: EXPIRES_AT_HEADER, value }]
}
