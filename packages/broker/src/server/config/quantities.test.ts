import { expect, test } from 'vitest'
import { formatBytes, parseBytes, parseDuration } from './quantities.ts'

test.each([
  [1024, 1024],
  ['1024', 1024],
  ['64MiB', 64 * 1024 ** 2],
  ['64 MiB', 64 * 1024 ** 2],
  ['1.5kB', 1500],
  ['2GB', 2e9],
  ['12B', 12],
  ['64M', undefined],
  ['-1', undefined],
  [-1, undefined],
  [1.5, undefined],
  ['', undefined],
  ['MiB', undefined],
  [null, undefined],
])('the size %j is %j bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes))

test.each([
  [250, 250],
  ['250', 250],
  ['250ms', 250],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['1.5s', 1500],
  ['2d', 172_800_000],
  ['1w', 604_800_000],
  ['5 minutes', undefined],
  ['m', undefined],
  ['-5s', undefined],
  [Infinity, undefined],
])('the duration %j is %j ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

test('sizes are written as they are read', () => {
  for (const bytes of [0, 1, 1023, 1024, 1536, 8 * 1024 ** 2, 3 * 1024 ** 3]) expect(parseBytes(formatBytes(bytes))).toBe(bytes)
})
