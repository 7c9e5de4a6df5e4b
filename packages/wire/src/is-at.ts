// hot path (bench/src/codec.ts)
/** Whether `part` stands at `at`. */
export function isAt(bytes: Uint8Array, at: number, part: Uint8Array): boolean {
  for (let n = 0; n < part.length; n++) if (bytes[at + n] !== part[n]) return false
  return true
}
