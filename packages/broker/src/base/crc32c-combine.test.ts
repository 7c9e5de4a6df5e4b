import { crc32c } from '@millrace/wire'
import { expect, test } from 'vitest'
import { combinedCrc32c } from './crc32c-combine.ts'

const bytes = Uint8Array.from({ length: 200_000 }, (_, n) => (n * 7919) >>> 5)

test('two ranges together have the checksum of all their bytes, wherever the cut is', () => {
  const whole = crc32c(bytes)
  for (const cut of [0, 1, 2, 3, 7, 8, 21, 1000, 4096, 65_535, 65_536, 131_072, 199_999, 200_000]) {
    const [first, second] = [bytes.subarray(0, cut), bytes.subarray(cut)]
    expect(combinedCrc32c(crc32c(first), crc32c(second), second.length)).toBe(whole)
  }
})

test('ranges of one length after the other, and of any length', () => {
  let all = 0
  for (const [from, to] of [
    [0, 65_000],
    [65_000, 130_000],
    [130_000, 130_001],
    [130_001, 130_001],
    [130_001, 200_000],
  ] as const) {
    all = combinedCrc32c(all, crc32c(bytes.subarray(from, to)), to - from)
    expect(all).toBe(crc32c(bytes.subarray(0, to)))
  }
})
