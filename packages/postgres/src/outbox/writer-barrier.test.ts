import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KEYED_LANES, LANES } from './lanes.ts'
import { WriterBarrier } from './writer-barrier.ts'

test('a lane without writers is safe up to the last id', () => {
  const barrier = new WriterBarrier()
  expect(barrier.safe).toEqual(Array.from({ length: LANES }, () => 0))
  barrier.observe(7, [])
  expect(barrier.safe).toEqual(Array.from({ length: LANES }, () => 7))
})

test('a lane with a writer waits for it, and only that lane', () => {
  const barrier = new WriterBarrier()
  barrier.observe(7, [])
  barrier.observe(9, [{ lane: 3, writer: '1/1' }])
  expect([barrier.safe[3], barrier.safe[4]]).toEqual([7, 9])
  barrier.observe(12, [])
  expect(barrier.safe[3]).toBe(12)
})

test('writers that come later do not hold up what was there before', () => {
  const barrier = new WriterBarrier()
  barrier.observe(10, [{ lane: 0, writer: 'a' }])
  barrier.observe(20, [
    { lane: 0, writer: 'b' },
    { lane: 0, writer: 'a' },
  ])
  expect(barrier.safe[0]).toBe(0)
  barrier.observe(30, [{ lane: 0, writer: 'b' }])
  expect(barrier.safe[0]).toBe(10)
  barrier.observe(40, [{ lane: 0, writer: 'c' }])
  expect(barrier.safe[0]).toBe(30)
})

test('lanes of messages without a key wait for nobody', () => {
  const barrier = new WriterBarrier()
  barrier.observe(5, [{ lane: KEYED_LANES, writer: 'a' }])
  expect(barrier.safe[KEYED_LANES]).toBe(5)
})

type Step = 'begin' | 'insert' | 'commit' | 'rollback' | 'readLastId' | 'readWriters'
const steps = fc.array(
  fc.tuple(fc.constantFrom<Step>('begin', 'insert', 'commit', 'rollback', 'readLastId', 'readWriters'), fc.nat()),
  {
    maxLength: 200,
  },
)

/** Transactions on one lane, interleaved with the two reads of a relay in every way. */
test('no row ever appears at or below a safe id', () => {
  fc.assert(
    fc.property(steps, (program) => {
      const barrier = new WriterBarrier()
      const open = new Map<string, number[]>()
      let transactions = 0
      let lastId = 0
      let lastIdRead: number | undefined
      const pick = (n: number): string | undefined => [...open.keys()][n % Math.max(1, open.size)]
      for (const [step, n] of program) {
        const writer = pick(n)
        if (step === 'begin') open.set(`t${++transactions}`, [])
        else if (step === 'insert' && writer !== undefined) open.get(writer)!.push(++lastId)
        else if (step === 'commit' && writer !== undefined) {
          // The row becomes visible now: it must not be below what a relay may have read already.
          for (const id of open.get(writer)!) expect(id).toBeGreaterThan(barrier.safe[0]!)
          open.delete(writer)
        } else if (step === 'rollback' && writer !== undefined) open.delete(writer)
        else if (step === 'readLastId') lastIdRead = lastId
        else if (step === 'readWriters' && lastIdRead !== undefined) {
          barrier.observe(
            lastIdRead,
            [...open.keys()].map((name) => ({ lane: 0, writer: name })),
          )
          lastIdRead = undefined
          for (const ids of open.values()) for (const id of ids) expect(id).toBeGreaterThan(barrier.safe[0]!)
        }
      }
    }),
    { numRuns: 300 },
  )
})
