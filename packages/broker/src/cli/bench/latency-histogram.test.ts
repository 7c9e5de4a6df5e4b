import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LatencyHistogram } from './latency-histogram.ts'

test('percentiles are exact below 256 us and within 1% above', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 256, max: 2 ** 31 - 1 })), {
        minLength: 1,
        maxLength: 200,
      }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (latenciesUs, share) => {
        const histogram = new LatencyHistogram()
        for (const us of latenciesUs) histogram.record(us / 1000)
        const sorted = latenciesUs.toSorted((a, b) => a - b)
        const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1]!
        const found = histogram.percentileMs(share) * 1000
        expect(found).toBeGreaterThanOrEqual(exact - 0.001)
        expect(found).toBeLessThanOrEqual(exact < 256 ? exact + 0.001 : exact * 1.01)
        expect(histogram.maxMs * 1000).toBeCloseTo(sorted.at(-1)!, 0)
      },
    ),
  )
})

test('a weight counts as so many recordings', () => {
  const histogram = new LatencyHistogram()
  histogram.record(1, 99)
  histogram.record(100)
  expect(histogram.count).toBe(100)
  expect(histogram.percentileMs(0.99)).toBeCloseTo(1, 1)
  expect(histogram.percentileMs(1)).toBe(100)
  histogram.clear()
  expect([histogram.count, histogram.maxMs, histogram.percentileMs(0.5)]).toEqual([0, 0, 0])
})
