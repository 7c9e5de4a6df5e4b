// hot path (npm run bench -- --only policies)

const encoder = new TextEncoder()
/** Below this a loop is faster than the platform's encoder. */
const SHORT_CHARACTERS = 64
const NAMES_MAX = 1024
const NAME_CHARACTERS_MAX = 64
const names = new Map<string, Uint8Array>()

/** UTF-8 bytes of a text. */
export function encodeText(text: string): Uint8Array {
  const { length } = text
  if (length > SHORT_CHARACTERS) return encoder.encode(text)
  const bytes = new Uint8Array(length)
  for (let n = 0; n < length; n++) {
    const code = text.charCodeAt(n)
    if (code > 0x7f) return encoder.encode(text)
    bytes[n] = code
  }
  return bytes
}

/** The same for names that come again and again, as those of headers do: the bytes are shared and must not be changed. */
export function encodeName(name: string): Uint8Array {
  const known = names.get(name)
  if (known !== undefined) return known
  const bytes = encodeText(name)
  if (name.length > NAME_CHARACTERS_MAX) return bytes
  // Names that do not come again must not push out those that do, nor pile up.
  if (names.size === NAMES_MAX) names.clear()
  names.set(name, bytes)
  return bytes
}
