import {
  encodeBody,
  encodeHeaders,
  encodeKey,
  MESSAGE_ID_HEADER,
  MillraceError,
  type OutgoingMessage,
  withPriority,
  withRetry,
} from '@millrace/client'
import { keylessLane, laneOfKey } from './lanes.ts'

/** A message as it waits in the outbox. */
export interface OutboxRow {
  readonly id: string
  readonly messageId: string
  readonly destination: string
  readonly key: Uint8Array | null
  readonly body: Uint8Array
  readonly headers: Readonly<Record<string, string | Uint8Array>>
  readonly addedAtMs: number
}

/** What is not UTF-8, or has a NUL, which PostgreSQL's text cannot have, is kept as `{ base64 }`. */
type StoredHeader = string | { readonly base64: string }

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
let turn = 0

/**
 * The rows for some messages, as the JSON that the insert statement takes: one text, because every driver can pass text.
 * @throws MillraceError `bad_request` for a destination that is none; TypeError for a body that cannot be sent
 */
export function encodeRows(
  destination: string,
  messages: readonly OutgoingMessage[],
): { readonly json: string; readonly ids: readonly string[] } {
  if (!/^(queue|topic):\P{C}{1,500}$/u.test(destination)) {
    throw new MillraceError(
      'bad_request',
      `A destination is \`queue:NAME\` or \`topic:NAME\`, not ${JSON.stringify(destination)}.`,
    )
  }
  const ids: string[] = []
  const rows = messages.map((message) => {
    const id = idOf(message)
    ids.push(id)
    const key = encodeKey(message.key)
    return {
      lane: key === null ? keylessLane(turn++) : laneOfKey(destination, key),
      id,
      destination,
      key: key === null ? null : base64(key),
      body: base64(encodeBody(message.body)),
      headers: storedHeaders(message, id),
    }
  })
  return { json: JSON.stringify(rows), ids }
}

/** @param row what the relay's query gives */
export function decodeRow(row: Readonly<Record<string, unknown>>): OutboxRow {
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  for (const [name, value] of Object.entries(row['headers'] as Record<string, StoredHeader>)) {
    headers[name] = typeof value === 'string' ? value : Buffer.from(value.base64, 'base64')
  }
  headers[MESSAGE_ID_HEADER] = row['message_id'] as string
  return {
    id: row['id'] as string,
    messageId: row['message_id'] as string,
    destination: row['destination'] as string,
    key: row['key'] as Uint8Array | null,
    body: row['body'] as Uint8Array,
    headers,
    addedAtMs: Number(row['added_at_ms']),
  }
}

/** The publisher's own id where it has one. */
function idOf(message: OutgoingMessage): string {
  const own = message.headers?.[MESSAGE_ID_HEADER]
  const id = own === undefined ? crypto.randomUUID() : Buffer.from(own).toString()
  if (id === '' || id.includes('\0')) {
    throw new MillraceError('bad_request', `The header \`${MESSAGE_ID_HEADER}\` is text that is not empty and has no NUL.`)
  }
  return id
}

function storedHeaders(message: OutgoingMessage, id: string): Record<string, StoredHeader> {
  // No prototype: names are the sender's.
  const headers = Object.create(null) as Record<string, StoredHeader>
  const { body, priority, retry } = message
  let all = encodeHeaders(body, { ...message.headers, [MESSAGE_ID_HEADER]: id })
  if (priority !== undefined) all = withPriority(all, priority)
  if (retry !== undefined) all = withRetry(all, retry)
  for (const { key, value } of all) {
    if (value !== null) headers[key] = storedHeader(value)
  }
  return headers
}

function storedHeader(value: string | Uint8Array): StoredHeader {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  try {
    const text = strictDecoder.decode(bytes)
    return text.includes('\0') ? { base64: base64(bytes) } : text
  } catch {
    return { base64: base64(bytes) }
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}
