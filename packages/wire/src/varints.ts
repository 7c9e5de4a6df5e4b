// hot path (bench/src/codec.ts)

/** Bytes of a zigzag varint, of up to 53 bits. */
export function zigzagSize(value: number): number {
  if (value >= 0 && value < 64) return 1
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  let size = 1
  for (; rest >= 128; size++) rest = Math.floor(rest / 128)
  return size
}

/** @returns where it ends */
export function writeZigzag(bytes: Uint8Array, start: number, value: number): number {
  if (value >= 0 && value < 64) {
    bytes[start] = value << 1
    return start + 1
  }
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  let at = start
  for (; rest >= 128; at++) {
    bytes[at] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  bytes[at] = rest
  return at + 1
}
