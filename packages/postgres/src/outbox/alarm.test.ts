import { expect, test } from 'vitest'
import { Alarm } from './alarm.ts'

const LONG_MS = 1_000_000

test('a ring ends the wait that is on, or the next one', async () => {
  const alarm = new Alarm()
  const waiting = alarm.untilRung(LONG_MS)
  alarm.ring()
  await waiting
  alarm.ring()
  alarm.ring()
  await alarm.untilRung(LONG_MS)
  // Both rings are used up: this one ends by itself.
  const startedMs = performance.now()
  await alarm.untilRung(30)
  expect(performance.now() - startedMs).toBeGreaterThan(25)
})

test('a delay is not ended by a ring, and keeps it for later', async () => {
  const alarm = new Alarm()
  const startedMs = performance.now()
  const delayed = alarm.delay(30)
  alarm.ring()
  await delayed
  expect(performance.now() - startedMs).toBeGreaterThan(25)
  await alarm.untilRung(LONG_MS)
})

test('stop ends every wait', async () => {
  const alarm = new Alarm()
  const delayed = alarm.delay(LONG_MS)
  alarm.stop()
  await delayed
  await alarm.delay(LONG_MS)
  await alarm.untilRung(LONG_MS)
  expect(alarm.stopped).toBe(true)
})
