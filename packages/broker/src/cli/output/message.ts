import type { Message, StoredMessage } from '@millrace/client'
import { type MessageJson, messageToJson } from '../../protocols/api/message-json.ts'
import { formatTime } from './figures.ts'
import type { Column } from './table.ts'

const BODY_PREVIEW_CHARACTERS = 80
const lenient = new TextDecoder()

/** The shape that the HTTP API gives it, with `attempt` where the message is held. */
export function printedMessage(message: StoredMessage | Message): MessageJson {
  const shown = messageToJson(message, Object.entries(message.headers))
  return 'attempt' in message ? { ...shown, attempt: message.attempt } : shown
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
