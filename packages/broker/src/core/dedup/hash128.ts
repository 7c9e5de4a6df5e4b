// hot path (packages/broker/test/core/dedup-throughput.mjs)
/**
 * MurmurHash3 for 32-bit machines, 128 bits, seed 0 (https://github.com/aappleby/smhasher, public domain algorithm).
 * Hashes are stored: it must never change.
 * @param out four words, written from `at` on
 */
export function hash128(bytes: Uint8Array, start: number, length: number, out: Int32Array, at: number): void {
  let h1 = 0
  let h2 = 0
  let h3 = 0
  let h4 = 0
  const blocksEnd = start + (length & ~15)
  let n = start
  for (; n < blocksEnd; n += 16) {
    h1 = (Math.imul(rotate(h1 ^ lane(word(bytes, n), C1, 15, C2), 19) + h2, 5) + 0x561ccd1b) | 0
    h2 = (Math.imul(rotate(h2 ^ lane(word(bytes, n + 4), C2, 16, C3), 17) + h3, 5) + 0x0bcaa747) | 0
    h3 = (Math.imul(rotate(h3 ^ lane(word(bytes, n + 8), C3, 17, C4), 15) + h4, 5) + 0x96cd1c35) | 0
    h4 = (Math.imul(rotate(h4 ^ lane(word(bytes, n + 12), C4, 18, C1), 13) + h1, 5) + 0x32ac3b17) | 0
  }
  const end = start + length
  if (n + 12 < end) h4 ^= lane(partialWord(bytes, n + 12, end), C4, 18, C1)
  if (n + 8 < end) h3 ^= lane(partialWord(bytes, n + 8, end), C3, 17, C4)
  if (n + 4 < end) h2 ^= lane(partialWord(bytes, n + 4, end), C2, 16, C3)
  if (n < end) h1 ^= lane(partialWord(bytes, n, end), C1, 15, C2)
  h1 ^= length
  h2 ^= length
  h3 ^= length
  h4 ^= length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = mix((h2 + h1) | 0)
  h3 = mix((h3 + h1) | 0)
  h4 = mix((h4 + h1) | 0)
  h1 = mix(h1)
  h1 = (h1 + h2 + h3 + h4) | 0
  out[at] = h1
  out[at + 1] = h2 + h1
  out[at + 2] = h3 + h1
  out[at + 3] = h4 + h1
}

const C1 = 0x239b961b
const C2 = 0xab0e9789
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93

function lane(block: number, before: number, bits: number, after: number): number {
  return Math.imul(rotate(Math.imul(block, before), bits), after)
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** Little-endian, as all of the algorithm. */
function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** The bytes that are there of a word. */
function partialWord(bytes: Uint8Array, at: number, end: number): number {
  let value = 0
  for (let n = Math.min(at + 4, end) - 1; n >= at; n--) value = (value << 8) | bytes[n]!
  return value
}
