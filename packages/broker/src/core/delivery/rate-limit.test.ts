import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RateLimit } from './rate-limit.ts'

test('over any time no more than the rate and one burst goes through, and all of it if somebody takes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50_000 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 50, maxLength: 400 }),
      (rate, steps) => {
        const limit = new RateLimit(rate, 0)
        let now = 0
        let taken = 0
        for (const step of steps) {
          now += step
          const some = limit.available(now)
          limit.took(some)
          taken += some
        }
        expect(taken).toBeLessThanOrEqual((rate * now) / 1000 + 1)
        expect(taken).toBeGreaterThanOrEqual((rate * now) / 1000 - 1)
      },
    ),
  )
})

test('it says when the next one may go, and what was not used is not saved up', () => {
  const limit = new RateLimit(10, 0)
  expect(limit.available(0)).toBe(1)
  limit.took(1)
  expect(limit.available(1)).toBe(0)
  expect(limit.nextMs(1)).toBeCloseTo(100)
  expect(limit.available(100)).toBe(1)
  expect(limit.available(60_000)).toBe(2)
})

test('at the time that it names there is a message to go, whatever the fractions', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 5000, noNaN: true }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 1, maxLength: 30 }),
      (rate, startMs, pauses) => {
        const limit = new RateLimit(rate, startMs)
        let now = startMs
        for (const pause of pauses) {
          now += pause
          for (let some = limit.available(now); some > 0; some = limit.available(now)) limit.took(some)
          now = limit.nextMs(now)
          expect(limit.available(now)).toBeGreaterThan(0)
        }
      },
    ),
  )
})
