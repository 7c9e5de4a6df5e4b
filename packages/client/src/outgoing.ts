// hot path (bench/src/native.ts)
import {
  encodeText,
  EXPIRES_AT_HEADER,
  type HeaderToWrite,
  PRIORITY_HEADER,
  PRIORITY_MAX,
  RETRY_HEADER,
  retryFault,
  retryHeader,
  type RetryPolicy,
  textSize,
} from '@millrace/wire'
import type { Body, PublishOptions } from './api.ts'
import { MillraceError } from './errors.ts'

const JSON_HEADER: HeaderToWrite = { key: 'content-type', value: 'application/json' }
const JSON_HEADERS: readonly HeaderToWrite[] = [JSON_HEADER]
/** Room for what a record has besides key, value and headers, and for the batch header. */
const RECORD_OVERHEAD_BYTES = 128
const NO_HEADERS: readonly HeaderToWrite[] = []
const SHORT_CHARACTERS = 64
/** UTF-8 takes three bytes for a UTF-16 unit at most: those that need four are two units. */
const CHARACTER_BYTES_MAX = 3

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

/** Memory that it takes until it is confirmed, about; never less than its bytes. */
export function weightOf(value: Uint8Array | null, key: string | Uint8Array | null, headers: readonly HeaderToWrite[]): number {
  let weight = sizeOf(value) + RECORD_OVERHEAD_BYTES + sizeOf(key)
  for (let n = 0; n < headers.length; n++) weight += headers[n]!.key.length * CHARACTER_BYTES_MAX + sizeOf(headers[n]!.value) + 10
  return weight
}

/** What happened, and what to do. */
export function tooLarge(bytes: number, bytesMax: number): string {
  return `The message has ${bytes} bytes; this broker takes at most ${bytesMax}. Send smaller ones, or raise its limits.batchBytesMax.`
}

function sizeOf(part: string | Uint8Array | null): number {
  if (part === null) return 0
  if (typeof part !== 'string') return part.length
  // The builder measures it again; of a short text it is known well enough what it can have.
  return part.length <= SHORT_CHARACTERS ? part.length * CHARACTER_BYTES_MAX : textSize(part)
}

/** Of the message before: its objects are used again. */
const gathered: { key: string; value: string | Uint8Array | null }[] = []

/**
 * All headers of a message, in a list that is good until the next call.
 * @param timestampMs from when its `ttlMs` counts
 * @throws MillraceError `bad_request`
 */
export function messageHeaders(body: Body, options: PublishOptions, timestampMs: number): readonly HeaderToWrite[] {
  const { priority, ttlMs, retry } = options
  let headers = gatherHeaders(body, options.headers)
  if (priority !== undefined) headers = withPriority(headers, priority)
  if (retry !== undefined) headers = withRetry(headers, retry)
  return ttlMs === undefined ? headers : withExpiry(headers, timestampMs, ttlMs)
}

function gatherHeaders(body: Body, headers: PublishOptions['headers']): readonly HeaderToWrite[] {
  if (headers === undefined || isJson(body)) return encodeHeaders(body, headers)
  let count = 0
  for (const key in headers) {
    if (!Object.hasOwn(headers, key)) continue
    const header = (gathered[count++] ??= { key, value: null })
    header.key = key
    header.value = headers[key]!
  }
  // Setting the length costs more than the rest, even to what it is.
  if (gathered.length !== count) gathered.length = count
  return gathered
}

export function encodeHeaders(body: Body, headers: PublishOptions['headers']): readonly HeaderToWrite[] {
  if (headers === undefined) return isJson(body) ? JSON_HEADERS : NO_HEADERS
  const names = Object.keys(headers)
  const list: HeaderToWrite[] = names.map((key) => ({ key, value: headers[key]! }))
  if (isJson(body) && !names.some(isContentType)) list.push(JSON_HEADER)
  return list
}

function isContentType(name: string): boolean {
  return name.length === JSON_HEADER.key.length && name.toLowerCase() === JSON_HEADER.key
}

/**
 * Headers of a message, with the one that says when it expires.
 * @throws MillraceError `bad_request`
 */
function withExpiry(headers: readonly HeaderToWrite[], timestampMs: number, ttlMs: number): readonly HeaderToWrite[] {
  if (!(ttlMs >= 1) || ttlMs === Infinity)
    throw new MillraceError('bad_request', `\`ttlMs\` is a number of milliseconds from 1 on, not ${ttlMs}.`)
  const value = String(Math.ceil(timestampMs + ttlMs))
  return [...headers.filter((header) => header.key !== EXPIRES_AT_HEADER), { key: EXPIRES_AT_HEADER, value }]
}

/**
 * Headers of a message, with the one that says how urgent it is.
 * @throws MillraceError `bad_request`
 */
export function withPriority(headers: readonly HeaderToWrite[], priority: number): readonly HeaderToWrite[] {
  if (!Number.isInteger(priority) || priority < 0 || priority > PRIORITY_MAX) {
    throw new MillraceError('bad_request', `\`priority\` is a whole number from 0 to ${PRIORITY_MAX}, not ${String(priority)}.`)
  }
  const header: HeaderToWrite = { key: PRIORITY_HEADER, value: String(priority) }
  return headers.length === 0 ? [header] : [...headers.filter((other) => other.key !== PRIORITY_HEADER), header]
}

/**
 * Headers of a message, with the one that says how it is delivered again.
 * @throws MillraceError `bad_request`
 */
export function withRetry(headers: readonly HeaderToWrite[], retry: RetryPolicy): readonly HeaderToWrite[] {
  const fault = retryFault('retry', retry)
  if (fault !== undefined) throw new MillraceError('bad_request', fault)
  const header = retryHeader(retry)
  return header === undefined ? headers : [...headers.filter((other) => other.key !== RETRY_HEADER), header]
}
