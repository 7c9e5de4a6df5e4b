// hot path (bench/src/codec.ts)

/** Bytes of a zigzag varint, of up to 53 bits. */
export function zigzagSize(value: number): number {
  if (value >= -64 && value < 64) return 1
  if (value >= -8192 && value < 8192) return 2
  let rest = Math.floor((value < 0 ? -value * 2 - 1 : value * 2) / 128)
  let size = 2
  for (; rest >= 128; size++) rest = Math.floor(rest / 128)
  return size
}

/** @returns where it ends */
export function writeZigzag(bytes: Uint8Array, start: number, value: number): number {
  if (value >= -8192 && value < 8192) return writeShortZigzag(bytes, start, value)
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  let at = start
  for (; rest >= 128; at++) {
    bytes[at] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  bytes[at] = rest
  return at + 1
}

/** Most have one byte or two, which need no arithmetic beyond 32 bits. */
function writeShortZigzag(bytes: Uint8Array, at: number, value: number): number {
  const zigzag = (value << 1) ^ (value >> 31)
  if (zigzag < 0x80) {
    bytes[at] = zigzag
    return at + 1
  }
  bytes[at] = (zigzag & 0x7f) | 0x80
  bytes[at + 1] = zigzag >> 7
  return at + 2
}
