import { encodeBatch } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TestBroker } from '../../test/core/harness.ts'
import { SEARCH_RECORDS } from './limits.ts'

const encoder = new TextEncoder()

/** One batch of records with the value and header `n`. */
function publishNumbers(t: TestBroker, destination: string, first: number, last: number): void {
  const records = Array.from({ length: last - first + 1 }, (_, n) => ({
    timestampMs: t.platform.clock.nowMs(),
    value: encoder.encode(String(first + n)),
    headers: [{ key: 'n', value: encoder.encode(String(first + n)) }],
  }))
  t.broker.destination(destination, true).publish(0, encodeBatch(records))
}

test('a reader with a filter gets what matches, counts only that as credit, and goes on with what comes', async () => {
  const t = await TestBroker.open()
  publishNumbers(t, 'topic:log', 0, 9)
  await t.settle()
  const reader = t.read('topic:log', 'earliest', 0, 3, 'n % 3 = 0')
  await t.settle()
  expect(reader.values).toEqual(['0', '3', '6'])
  expect(reader.caughtUpAfter).toEqual([])
  reader.reader.grant(2)
  await t.settle()
  expect(reader.values).toEqual(['0', '3', '6', '9'])
  expect(reader.caughtUpAfter).toEqual([4])
  publishNumbers(t, 'topic:log', 10, 14)
  await t.settle()
  expect(reader.values).toEqual(['0', '3', '6', '9', '12'])
  // It used up its credit with 12, and does not look further.
  expect(reader.reader.atEnd).toBe(false)
})

test('runs that match come in one piece', async () => {
  const t = await TestBroker.open()
  publishNumbers(t, 'topic:log', 0, 9)
  await t.settle()
  const reader = t.read('topic:log', 'earliest', 0, Infinity, 'n BETWEEN 2 AND 5 OR n > 7')
  await t.settle()
  expect(reader.deliveries.map(({ first, last }) => [first, last])).toEqual([
    [2, 5],
    [8, 9],
  ])
})

test('browsing a queue by a filter leaves out what is settled, and changes nothing', async () => {
  const t = await TestBroker.open()
  const consumer = t.consume('queue:work', 5)
  publishNumbers(t, 'queue:work', 0, 9)
  await t.settle()
  consumer.ack(2)
  consumer.ack(4)
  await t.settle()
  const reader = t.read('queue:work', 'earliest', 0, Infinity, 'n % 2 = 0')
  await t.settle()
  expect(reader.values).toEqual(['0', '6', '8'])
  expect(t.broker.queue('work')).toMatchObject({ ready: 5, inFlight: 3, counters: { delivered: 5, acked: 2 } })
})

test('says where it is in a long backlog without matches, a bounded piece per turn, while others go on', async () => {
  const t = await TestBroker.open()
  const batches = 40
  for (let n = 0; n < batches; n++) publishNumbers(t, 'topic:log', n * 500, n * 500 + 499)
  await t.settle()
  const reader = t.read('topic:log', 'earliest', 0, 1, 'n = -1')
  let before = reader.passedTo
  let turns = 0
  while (!reader.reader.atEnd) {
    t.platform.runTurn()
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    expect(reader.passedTo - before).toBeLessThanOrEqual(SEARCH_RECORDS)
    if (reader.passedTo > before) turns++
    before = reader.passedTo
    if (turns === 5) {
      // In the midst of it, a queue is served at once.
      const consumer = t.consume('queue:work')
      t.publish('queue:work', 'x')
      for (let n = 0; n < 6; n++) t.platform.runTurn()
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      for (let n = 0; n < 6; n++) t.platform.runTurn()
      expect(consumer.values).toEqual(['x'])
      expect(reader.reader.atEnd).toBe(false)
      turns++
      before = reader.passedTo
    }
  }
  expect(turns).toBeGreaterThan(6)
  expect([reader.values, reader.passedTo, reader.caughtUpAfter]).toEqual([[], 20_000, [0]])
})

test('can be closed in the midst of a search', async () => {
  const t = await TestBroker.open()
  for (let n = 0; n < 10; n++) publishNumbers(t, 'topic:log', n * 500, n * 500 + 499)
  await t.settle()
  const reader = t.read('topic:log', 'earliest', 0, 1, 'n = 4999')
  t.platform.runTurn()
  const { passedTo } = reader
  expect(passedTo).toBeGreaterThan(0)
  reader.reader.close()
  await t.settle()
  expect([reader.passedTo, reader.values]).toEqual([passedTo, []])
})

test('a selector that is wrong is refused with the place of the mistake', async () => {
  const t = await TestBroker.open()
  publishNumbers(t, 'topic:log', 0, 1)
  await t.settle()
  expect(() => t.read('topic:log', 'earliest', 0, 1, 'n >')).toThrow(
    expect.objectContaining({ code: 'bad_selector', message: expect.stringContaining('column 4') as string }),
  )
})

test('finds the same as looking at everything, whatever the batches, the settled, and the credit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 30 }),
      fc.integer({ min: 2, max: 9 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 10 }),
      async (sizes, acked, modulus, credits) => {
        const t = await TestBroker.open()
        let end = 0
        for (const size of sizes) {
          publishNumbers(t, 'queue:work', end, end + size - 1)
          end += size
        }
        const consumer = t.consume('queue:work')
        await t.settle()
        const gone = new Set(acked.filter((offset) => offset < end))
        for (const offset of gone) consumer.ack(offset)
        await t.settle()
        const reader = t.read('queue:work', 'earliest', 0, 0, `n % ${modulus} < 2`)
        for (const credit of credits) {
          reader.reader.grant(credit)
          await t.settle()
        }
        const all = Array.from({ length: end }, (_, n) => n).filter((n) => !gone.has(n) && n % modulus < 2)
        const granted = credits.reduce((sum, credit) => sum + credit, 0)
        expect(reader.values).toEqual(all.slice(0, granted).map(String))
        if (granted > all.length) expect(reader.caughtUpAfter).toHaveLength(1)
      },
    ),
    { numRuns: 40 },
  )
})
