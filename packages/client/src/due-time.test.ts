import { expect, it } from 'vitest'
import { checkDueTime, dueTimeMs } from './due-time.ts'

const NOW = 1_700_000_000_000
const CLOCK = { nowMs: () => NOW }

function refusal(message: string): object {
  return expect.objectContaining({ code: 'time_in_past', message }) as object
}

it('counts a delay from now, in whole milliseconds', () => {
  expect(dueTimeMs({ delayMs: 1500 }, CLOCK, true)).toBe(NOW + 1500)
  expect(dueTimeMs({ delayMs: 0.25 }, CLOCK, true)).toBe(NOW + 1)
})

it('takes dates and milliseconds', () => {
  expect(dueTimeMs({ deliverAt: new Date(NOW + 5) }, CLOCK, true)).toBe(NOW + 5)
  expect(dueTimeMs({ deliverAt: NOW + 6 }, CLOCK, true)).toBe(NOW + 6)
})

it('takes what has become due since it was stated for now', () => {
  for (const options of [{ delayMs: 0 }, { deliverAt: NOW }, { deliverAt: new Date(0) }])
    expect(dueTimeMs(options, CLOCK, true)).toBe(0)
})

it('lets pass what lies ahead, and what is as good as now', () => {
  for (const options of [
    {},
    { delayMs: 0 },
    { delayMs: 5 },
    { deliverAt: NOW + 1 },
    { deliverAt: NOW },
    { deliverAt: NOW - 100 },
  ])
    expect(() => checkDueTime(options, CLOCK)).not.toThrow()
})

it('refuses a time that has passed, and says what to do', () => {
  expect(() => checkDueTime({ delayMs: -1 }, CLOCK)).toThrow(
    refusal('`delayMs` is -1: that time has passed. To publish the message now, leave it out.'),
  )
  expect(() => checkDueTime({ deliverAt: new Date(NOW - 1000) }, CLOCK)).toThrow(
    refusal(
      '`deliverAt` is 2023-11-14T22:13:19.000Z, and it is 2023-11-14T22:13:20.000Z here: that time has passed. To publish the message now, leave it out.',
    ),
  )
  for (const deliverAt of [0, -5, -1e300]) expect(() => checkDueTime({ deliverAt }, CLOCK)).toThrow('that time has passed')
})

it('refuses what is no time', () => {
  const wrong = [
    { delayMs: Infinity },
    { delayMs: -Infinity },
    { delayMs: Number.NaN },
    { deliverAt: new Date('nonsense') },
    { deliverAt: Infinity },
    { delayMs: 1, deliverAt: NOW },
  ]
  for (const options of wrong)
    expect(() => checkDueTime(options, CLOCK)).toThrow(expect.objectContaining({ code: 'bad_request' }))
})

it('only where a message can wait', () => {
  expect(() => dueTimeMs({ delayMs: 1 }, CLOCK, false)).toThrow('An idempotent publisher cannot schedule messages')
  for (const options of [{}, { delayMs: 0 }, { deliverAt: NOW }]) expect(dueTimeMs(options, CLOCK, false)).toBe(0)
})
