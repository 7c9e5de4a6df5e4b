import { expect, it } from 'vitest'
import { dueTimeMs } from './due-time.ts'

const NOW = 1_700_000_000_000

it('counts a delay from now, in whole milliseconds', () => {
  expect(dueTimeMs({ delayMs: 1500 }, NOW)).toBe(NOW + 1500)
  expect(dueTimeMs({ delayMs: 0.25 }, NOW)).toBe(NOW + 1)
})

it('takes dates and milliseconds', () => {
  expect(dueTimeMs({ deliverAt: new Date(NOW + 5) }, NOW)).toBe(NOW + 5)
  expect(dueTimeMs({ deliverAt: NOW + 6 }, NOW)).toBe(NOW + 6)
})

it('knows now and the past', () => {
  for (const options of [{ delayMs: 0 }, { deliverAt: NOW }, { deliverAt: new Date(0) }]) expect(dueTimeMs(options, NOW)).toBe(0)
})

it('refuses what is no time', () => {
  const wrong = [
    { delayMs: -1 },
    { delayMs: Infinity },
    { delayMs: Number.NaN },
    { deliverAt: new Date('nonsense') },
    { deliverAt: -5 },
    { delayMs: 1, deliverAt: NOW },
  ]
  for (const options of wrong) expect(() => dueTimeMs(options, NOW)).toThrow(expect.objectContaining({ code: 'bad_request' }))
})
