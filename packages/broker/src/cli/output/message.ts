import type { Message, StoredMessage } from '@millrace/client'
import { bytesToJson } from '@millrace/wire'
import type { JsonBytes } from '@millrace/wire'
import { formatTime } from './figures.ts'
import type { Column } from './table.ts'

const BODY_PREVIEW_CHARACTERS = 80
const lenient = new TextDecoder()

/** A message in the shape that the HTTP API gives it: text where bytes are UTF-8, JSON where a header says so, otherwise base64. */
export function messageToJson(message: StoredMessage | Message): Record<string, unknown> {
  const { partition, offset, timestampMs, key, value } = message
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, bytes]) => [name, bytesToJson(bytes)]))
  return {
    partition,
    offset,
    timestampMs,
    ...('attempt' in message && message.attempt > 0 ? { attempt: message.attempt } : {}),
    ...(key === null ? {} : field('key', bytesToJson(key))),
    headers,
    ...bodyField(bytesToJson(value), headers['content-type']),
  }
}

export const messageColumns: readonly Column<StoredMessage>[] = [
  { title: 'PARTITION', cell: (message) => String(message.partition), align: 'right' },
  { title: 'OFFSET', cell: (message) => String(message.offset), align: 'right' },
  { title: 'TIME', cell: (message) => formatTime(message.timestampMs) },
  { title: 'KEY', cell: (message) => (message.key === null ? '' : lenient.decode(message.key)) },
  { title: 'BYTES', cell: (message) => String(message.value?.length ?? 0), align: 'right' },
  { title: 'BODY', cell: (message) => preview(message.value) },
]

function preview(value: Uint8Array | null): string {
  if (value === null) return ''
  const text = lenient.decode(value.subarray(0, BODY_PREVIEW_CHARACTERS * 4))
  return text.length > BODY_PREVIEW_CHARACTERS ? `${text.slice(0, BODY_PREVIEW_CHARACTERS - 3)}...` : text
}

function field(name: string, value: JsonBytes): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { [`${name}Base64`]: value.base64 } : { [name]: value }
}

function bodyField(body: JsonBytes, contentType: JsonBytes | undefined): Record<string, unknown> {
  if (typeof body !== 'string' || typeof contentType !== 'string' || !/^application\/(.+\+)?json\b/i.test(contentType)) {
    return field('body', body)
  }
  try {
    return { body: JSON.parse(body) as unknown }
  } catch {
    return { body } // the sender's label is wrong; the text is what there is
  }
}
