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

/** Bytes of a text in UTF-8. Half of a surrogate pair counts as what stands for it, U+FFFD. */
export function textSize(text: string): number {
  const { length } = text
  let size = length
  for (let n = 0; n < length; n++) {
    const code = text.charCodeAt(n)
    if (code < 0x80) continue
    if (code < 0x8_00) size++
    else if (isPair(code, text, n)) {
      // Two units, four bytes.
      size += 2
      n++
    } else size += 2
  }
  return size
}

/** @param size its `textSize` @returns where it ends */
export function writeText(bytes: Uint8Array, at: number, text: string, size: number): number {
  if (size !== text.length || size > SHORT_CHARACTERS) encoder.encodeInto(text, bytes.subarray(at, at + size))
  else for (let n = 0; n < size; n++) bytes[at + n] = text.charCodeAt(n)
  return at + size
}

function isPair(code: number, text: string, at: number): boolean {
  if (code < 0xd8_00 || code > 0xdb_ff || at + 1 === text.length) return false
  const next = text.charCodeAt(at + 1)
  return next >= 0xdc_00 && next <= 0xdf_ff
}

/** As `encodeText`, for names that come again and again, as those of headers do: the bytes are shared and must not be changed. */
export function encodeName(name: string): Uint8Array {
  if (name === lastName) return lastBytes
  const bytes = names.get(name) ?? encodeNew(name)
  lastName = name
  lastBytes = bytes
  return bytes
}

let lastName = ''
let lastBytes: Uint8Array = new Uint8Array(0)

function encodeNew(name: string): Uint8Array {
  const bytes = encodeText(name)
  if (name.length > NAME_CHARACTERS_MAX) return bytes
  // Names that do not come again must not push out those that do, nor pile up.
  if (names.size === NAMES_MAX) names.clear()
  names.set(name, bytes)
  return bytes
}
