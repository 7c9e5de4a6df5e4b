import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NONE, PassedMessages } from './passed-messages.ts'

const offsets = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 400 }).map((n) => 2 ** 40 + n * 5),
  fc.maxSafeNat(),
)

test('holds what a map holds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), offsets, fc.nat({ max: 1000 })), { maxLength: 400 }), (steps) => {
      const messages = new PassedMessages()
      const map = new Map<number, number>()
      for (const [isSet, offset, number] of steps) {
        const place = messages.find(offset)
        expect(place === NONE).toBe(!map.has(offset))
        if (isSet) {
          const at = messages.set(offset, number)
          if (place === NONE) expect(messages.nexts[at]).toBe(NONE)
          messages.nexts[at] = offset % 1_000_003
          map.set(offset, number)
        } else if (place !== NONE) {
          messages.delete(offset, place)
          map.delete(offset)
        }
        expect(messages.size).toBe(map.size)
      }
      for (const [offset, number] of map) {
        const place = messages.find(offset)
        expect([messages.numbers[place], messages.nexts[place]]).toEqual([number, offset % 1_000_003])
        expect(messages.offsetAt(place)).toBe(offset)
      }
      const sorted = [...map.keys()].toSorted((a, b) => a - b)
      expect(messages.below(Infinity)).toEqual(sorted)
      const middle = sorted[sorted.length >> 1] ?? 0
      expect(messages.below(middle)).toEqual(sorted.filter((offset) => offset < middle))
    }),
    { numRuns: 300 },
  )
})

test('keeps the places of messages while it grows, and is used again after it shrank', () => {
  const messages = new PassedMessages()
  const places = Array.from({ length: 1000 }, (_, offset) => messages.set(offset, offset))
  places.forEach((place, offset) => expect(messages.find(offset)).toBe(place))
  for (let offset = 0; offset < 1000; offset++) messages.delete(offset, messages.find(offset))
  messages.shrink()
  expect(messages.find(5)).toBe(NONE)
  for (let offset = 0; offset < 1000; offset++) messages.set(offset, offset + 1)
  for (let offset = 0; offset < 1000; offset++) expect(messages.numbers[messages.find(offset)]).toBe(offset + 1)
})
