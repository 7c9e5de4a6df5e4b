import { createHash } from 'node:crypto'

/** FNV-1a of the UTF-8 bytes, 31 bits, so that it is a positive `integer` in SQL. */
export function hash31(...parts: readonly (string | Uint8Array)[]): number {
  let hash = 0x811c9dc5
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    for (let n = 0; n < bytes.length; n++) hash = Math.imul(hash ^ bytes[n]!, 0x01000193)
    // Parts do not flow into each other.
    hash = Math.imul(hash ^ 0x100, 0x01000193)
  }
  return (hash ^ (hash >>> 15)) & 0x7fffffff
}

/** Fits an index entry (2,704 bytes) in any encoding. */
const KEY_CHARACTERS_MAX = 500

/** A key as the database can hold it: text may have no NUL, and an index entry has a largest size. */
export function storedKey(key: string): string {
  if (key.length <= KEY_CHARACTERS_MAX && !key.includes('\0')) return key
  return `sha256:${createHash('sha256').update(key).digest('hex')}`
}
