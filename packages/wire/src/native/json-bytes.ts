/**
 * Bytes inside JSON: a string where they are valid UTF-8, so that `curl` shows what was sent; `{ "base64": "..." }` for all others.
 */
export type JsonBytes = string | { readonly base64: string } | null

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function bytesToJson(bytes: Uint8Array | null): JsonBytes {
  if (bytes === null) return null
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return { base64: base64Encode(bytes) }
  }
}

/** Returns undefined when the base64 text is malformed. */
export function bytesFromJson(json: JsonBytes): Uint8Array | null | undefined {
  if (json === null) return null
  return typeof json === 'string' ? encoder.encode(json) : base64Decode(json.base64)
}

function base64Encode(bytes: Uint8Array): string {
  let binary = ''
  // In pieces: an argument list has a limit.
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(binary)
}

function base64Decode(text: string): Uint8Array | undefined {
  try {
    const binary = atob(text)
    const bytes = new Uint8Array(binary.length)
    for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at)
    return bytes
  } catch {
    return undefined
  }
}
