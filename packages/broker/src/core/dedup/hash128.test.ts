import { expect, test } from 'vitest'
import { hash128 } from './hash128.ts'

function hex(text: string, before = 0): string {
  const bytes = new TextEncoder().encode('x'.repeat(before) + text)
  const out = new Int32Array(6)
  hash128(bytes, before, bytes.length - before, out, 1)
  expect([out[0], out[5]]).toEqual([0, 0])
  return [...out.subarray(1, 5)].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

test('gives what the algorithm gives', () => {
  expect(hex('')).toBe('00000000000000000000000000000000')
  expect(hex("I will not buy this tobacconist's, it is scratched.")).toBe('9b5b7ba2ef3f7866889adeaf00f3f98e')
})

test('looks at each byte and nothing around them', () => {
  const seen = new Set<string>()
  for (let length = 0; length < 40; length++) {
    const text = 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz'.slice(0, length)
    expect(hex(text, 3)).toBe(hex(text))
    seen.add(hex(text))
    for (let n = 0; n < length; n++) seen.add(hex(`${text.slice(0, n)}A${text.slice(n + 1)}`))
  }
  expect(seen.size).toBe(40 + (39 * 40) / 2)
})
