import { expect, test } from 'vitest'
import { ReaderPins } from './reader-pins.ts'

test('draining waits for the readers that are at work, not for those that come later', async () => {
  const pins = new ReaderPins()
  const done: string[] = []
  await pins.drained()
  const first = pins.pin()
  const second = pins.pin()
  const drained = pins.drained().then(() => done.push('drained'))
  const late = pins.pin()
  const later = pins.drained().then(() => done.push('later'))
  pins.unpin(first)
  await Promise.resolve()
  expect(done).toEqual([])
  pins.unpin(second)
  await drained
  expect(done).toEqual(['drained'])
  pins.unpin(late)
  await later
  expect(done).toEqual(['drained', 'later'])
})
