import type { StoredMessage } from '../api.ts'
import { MESSAGE_ID_HEADER } from '../message-headers.ts'

const decoder = new TextDecoder()

/**
 * What tells a message apart from every other that the same consumer gets: the id that its publisher gave it, else its place. The
 * place is good for redeliveries only: a message that was published twice has two places.
 */
export function messageIdentity(message: StoredMessage): string {
  const id = message.headers[MESSAGE_ID_HEADER]
  if (id !== undefined && id !== null && id.length > 0) return `id/${decoder.decode(id)}`
  return `at/${message.partition}/${message.offset}`
}
