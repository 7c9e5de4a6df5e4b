/** Hashes whose values are for ever: which queue a key goes to must not change with a version. */

/** FNV-1a over the UTF-16 units of a text, mixed. @returns 0 to 2^32 - 1 */
export function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let n = 0; n < text.length; n++) {
    const unit = text.charCodeAt(n)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  return mixed(hash)
}

/** The finalizer of murmur3: every bit of the result depends on every bit given. @returns 0 to 2^32 - 1 */
export function mixed(value: number): number {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
