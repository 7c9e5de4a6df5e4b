import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeName, encodeText, textSize, writeText } from './text.ts'

test('text becomes UTF-8, short or long, whatever is in it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ maxLength: 200 })), (text) => {
      const expected = new TextEncoder().encode(text)
      expect(encodeText(text)).toEqual(expected)
      expect(encodeName(text)).toEqual(expected)
      expect(encodeName(text)).toEqual(expected)
      expect(textSize(text)).toBe(expected.length)
      const bytes = new Uint8Array(expected.length + 2)
      expect(writeText(bytes, 1, text, expected.length)).toBe(expected.length + 1)
      expect(bytes).toEqual(Uint8Array.of(0, ...expected, 0))
    }),
  )
})

test('names are remembered, and not all of them for ever', () => {
  expect(encodeName('message-id')).toBe(encodeName('message-id'))
  const first = encodeName('first')
  for (let n = 0; n < 5000; n++) encodeName(`name-${n}`)
  expect(encodeName('first')).toEqual(first)
})
