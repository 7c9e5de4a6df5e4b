import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyOrder, NO_KEY } from './key-order.ts'

test('of each key one is out at a time, in order, whatever is settled when', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1, max: 4 }), { maxLength: 60 }), fc.infiniteStream(fc.nat()), (keys, dice) => {
      const order = new KeyOrder()
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
        if (order.admits(offset, key)) {
          order.enter(offset, key)
          out.push(offset)
        } else order.block(offset, key)
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
  order.enter(10, 7)
  expect([order.admits(10, 7), order.admits(12, 7)]).toEqual([true, false])
  order.block(12, 7)
  order.enter(5, 7)
  expect([order.admits(5, 7), order.admits(10, 7)]).toEqual([true, false])
  expect(order.settled(12)).toBe(-1)
  expect(order.settled(5)).toBe(10)
  expect(order.settled(10)).toBe(-1)
  expect(order.below(100)).toEqual([])
})
