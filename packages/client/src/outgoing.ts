// hot path (bench/src/native.ts)
import type { RecordHeader } from '@millrace/wire'
import type { Body, PublishOptions } from './api.ts'

const encoder = new TextEncoder()
const JSON_HEADER: RecordHeader = { key: 'content-type', value: encoder.encode('application/json') }
const JSON_HEADERS: readonly RecordHeader[] = [JSON_HEADER]
const NO_HEADERS: readonly RecordHeader[] = []

/** Whether a body is sent as JSON, which a header then says. */
function isJson(body: Body): boolean {
  return typeof body !== 'string' && !(body instanceof Uint8Array)
}

/** Bytes of a body. Bytes are borrowed, not copied. @throws TypeError for what JSON cannot hold */
export function encodeBody(body: Body): Uint8Array {
  if (body instanceof Uint8Array) return body
  if (typeof body === 'string') return encoder.encode(body)
  const text = JSON.stringify(body) as string | undefined
  if (text === undefined)
    throw new TypeError(`A body of type ${typeof body} cannot be sent: pass bytes, a string, or what JSON can hold.`)
  return encoder.encode(text)
}

export function encodeKey(key: string | Uint8Array | undefined): Uint8Array | null {
  if (key === undefined) return null
  return typeof key === 'string' ? encoder.encode(key) : key
}

export function encodeHeaders(body: Body, headers: PublishOptions['headers']): readonly RecordHeader[] {
  if (headers === undefined) return isJson(body) ? JSON_HEADERS : NO_HEADERS
  const list: RecordHeader[] = []
  let typed = false
  for (const [key, value] of Object.entries(headers)) {
    typed ||= key.toLowerCase() === 'content-type'
    list.push({ key, value: typeof value === 'string' ? encoder.encode(value) : value })
  }
  if (!typed && isJson(body)) list.push(JSON_HEADER)
  return list
}
