import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NO_KEY } from './batch-keys.ts'
import { KeyOrder } from './key-order.ts'
import { NO_LANE } from './lane-table.ts'

test('of each key one is out at a time, in order, whatever is settled when', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1, max: 4 }), { maxLength: 60 }), fc.infiniteStream(fc.nat()), (keys, dice) => {
      const order = new KeyOrder()
      const laneFor = (key: number): number => (key === NO_KEY ? NO_LANE : order.laneFor(key))
      const out: number[] = []
      const done: number[] = []
      const release = (): void => {
        const at = dice.next().value % out.length
        const [offset] = out.splice(at, 1)
        done.push(offset!)
        const next = order.settled(offset!)
        if (next >= 0) out.push(next)
      }
      keys.forEach((key, offset) => {
        const lane = laneFor(key)
        if (order.admits(offset, lane)) {
          order.enter(offset, lane)
          out.push(offset)
        } else order.block(offset, lane)
        const keyed = out.map((each) => keys[each]!).filter((each) => each !== NO_KEY)
        expect(new Set(keyed).size).toBe(keyed.length)
        if (dice.next().value % 3 === 0 && out.length > 0) release()
      })
      while (out.length > 0) release()
      expect(done).toHaveLength(keys.length)
      for (let key = 0; key <= 4; key++) {
        const ofKey = done.filter((offset) => keys[offset] === key)
        expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b))
      }
    }),
  )
})

test('what comes back keeps its turn; an earlier one that turns up late goes first', () => {
  const order = new KeyOrder()
  const lane = order.laneFor(7)
  order.enter(10, lane)
  expect([order.admits(10, lane), order.admits(12, lane)]).toEqual([true, false])
  order.block(12, lane)
  order.enter(5, lane)
  expect([order.admits(5, lane), order.admits(10, lane)]).toEqual([true, false])
  expect(order.settled(12)).toBe(-1)
  expect(order.settled(5)).toBe(10)
  expect(order.settled(10)).toBe(-1)
  expect(order.below(100)).toEqual([])
})

test('a key has one lane, and no other key has it while it is in use or claimed', () => {
  const order = new KeyOrder()
  const inUse = order.laneFor(1)
  order.enter(100, inUse)
  order.beginSlice()
  const claimed = order.laneFor(2)
  expect([order.claim(claimed), order.claim(claimed)]).toEqual([true, false])
  for (let key = 3; key < 1000; key++) expect([inUse, claimed]).not.toContain(order.laneFor(key))
  expect([order.laneFor(1), order.laneFor(2)]).toEqual([inUse, claimed])
  // Those of the others go round.
  expect(order.capacity).toBe(16)
  order.beginSlice()
  expect(order.claim(claimed)).toBe(true)
})

test('grows for as many keys as are in use, and gives it back when few were for long', () => {
  const order = new KeyOrder()
  const fillAndEmpty = (count: number): void => {
    for (let n = 0; n < count; n++) order.enter(n, order.laneFor(n % 997))
    const next = Array.from({ length: count }, (_, n) => order.settled(n))
    expect(next).toEqual(Array.from({ length: count }, (_, n) => (n + 997 < count ? n + 997 : -1)))
  }
  fillAndEmpty(5000)
  const { capacity } = order
  expect(capacity).toBeGreaterThanOrEqual(997)
  for (let round = 0; round < 50; round++) fillAndEmpty(5000)
  expect(order.capacity).toBe(capacity)
  for (let round = 0; round < capacity; round++) fillAndEmpty(10)
  expect(order.capacity).toBe(16)
  fillAndEmpty(5000)
})
