import { type StoredMessage, tombstone, topicAddress } from '@millrace/client'
import type { RecordPlace, StreamError } from '../stream-error.ts'
import { placeText } from '../stream-error.ts'
import type { BatchOutputs } from './batch-outputs.ts'

const TEXT_CHARACTERS_MAX = 1000

/** The message that failed, as a dead letter: its own headers, and the reason in those that dead letters of the broker have. */
export function deadLetter(outputs: BatchOutputs, destination: string, message: StoredMessage, error: StreamError): void {
  const headers: Record<string, string | Uint8Array> = {}
  for (const [name, value] of Object.entries(message.headers)) if (value !== null) headers[name] = value
  headers['millrace-dead-reason'] = 'rejected'
  headers['millrace-dead-source'] = topicAddress(error.place!.topic, error.application)
  headers['millrace-dead-partition'] = String(message.partition)
  headers['millrace-dead-offset'] = String(message.offset)
  headers['millrace-dead-timestamp'] = String(message.timestampMs)
  headers['millrace-dead-error'] = error.message.slice(0, TEXT_CHARACTERS_MAX)
  const { key, value } = message
  outputs.add(destination, value ?? tombstone, { headers, ...(key === null ? {} : { key }) })
}

/** What goes before the text of an error that one record brought about. */
export function failureText(place: RecordPlace, operator: string | undefined, text: string): string {
  const where = placeText(place)
  return operator === undefined ? `${where} cannot be read: ${text}` : `${operator} failed at ${where}: ${text}`
}
