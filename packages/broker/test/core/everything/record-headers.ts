/** What headers of a message tell. */
import { RETRY_HEADER } from '@millrace/wire'
import type { Message } from '../harness.ts'

type MessageRecord = Message['record']

/** Where it died. */
export function deathIn(record: MessageRecord): string | undefined {
  return headerOf(record, 'millrace-dead-source')
}

/** Its own retry policy, where that must be. */
export function retryIn(record: MessageRecord): string | undefined {
  return headerOf(record, deathIn(record) === undefined ? RETRY_HEADER : 'millrace-dead-retry')
}

function headerOf(record: MessageRecord, name: string): string | undefined {
  const header = record.headers.find(({ key }) => key === name)
  return header === undefined ? undefined : new TextDecoder().decode(header.value!)
}
