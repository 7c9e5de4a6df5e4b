import { expect, test } from 'vitest'
import { SELECTOR_BYTES, SELECTOR_BYTES_PER_CHARACTER } from './limits.ts'
import { SelectorCache } from './selector-cache.ts'

test('the same text gives the same selector, for each dialect its own', () => {
  const cache = new SelectorCache()
  const selector = cache.compile('a = 1')
  expect(cache.compile('a = 1')).toBe(selector)
  expect(cache.compile('a = 1', { dialect: 'jms' })).toBe(selector)
  const other = cache.compile('a = 1', { dialect: 'rocketmq' })
  expect(other).not.toBe(selector)
  expect(other.matches({ property: () => '1' })).toBe(true)
  expect(selector.matches({ property: () => '1' })).toBe(false)
  expect(cache.entries).toBe(2)
})

test('what was not used for longest goes first', () => {
  const cache = new SelectorCache({ entriesMax: 2 })
  const a = cache.compile('a')
  const b = cache.compile('b')
  expect(cache.compile('a')).toBe(a)
  cache.compile('c')
  expect(cache.entries).toBe(2)
  expect(cache.compile('a')).toBe(a)
  expect(cache.compile('b')).not.toBe(b)
})

test('bytes are bounded too, whatever the number of entries', () => {
  const long = `a = '${'x'.repeat(1000)}'`
  const one = SELECTOR_BYTES + SELECTOR_BYTES_PER_CHARACTER * long.length
  const cache = new SelectorCache({ bytesMax: 3 * one })
  for (let n = 0; n < 10; n++) cache.compile(long.replace('a', `a${n}`))
  expect(cache.entries).toBe(2)
  expect(cache.bytes).toBeLessThanOrEqual(3 * one)
  for (let n = 0; n < 1000; n++) cache.compile(`a = ${n}`)
  expect(cache.bytes).toBeLessThanOrEqual(3 * one)
  expect(cache.compile('a = 999')).toBe(cache.compile('a = 999'))
})

test('a selector that is larger than the cache is compiled and not kept', () => {
  const cache = new SelectorCache({ bytesMax: SELECTOR_BYTES })
  expect(cache.compile('a IS NULL').matches({ property: () => undefined })).toBe(true)
  expect(cache).toMatchObject({ entries: 0, bytes: 0 })
})

test('errors are not kept', () => {
  const cache = new SelectorCache()
  for (let n = 0; n < 2; n++) expect(() => cache.compile('a =')).toThrow('column 4')
  expect(cache.entries).toBe(0)
})
