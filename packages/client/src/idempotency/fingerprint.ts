import type { StoredMessage } from '../api.ts'

const TOMBSTONE = 'tombstone'

/** SHA-256 of the body, in hexadecimal digits. */
export async function bodyFingerprint(message: StoredMessage): Promise<string> {
  const { value } = message
  if (value === null) return TOMBSTONE
  const digest = await crypto.subtle.digest('SHA-256', value as Uint8Array<ArrayBuffer>)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
