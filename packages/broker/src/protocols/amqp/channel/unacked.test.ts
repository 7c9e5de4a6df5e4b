import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type HeldDelivery, Unacked } from './unacked.ts'

const holder = { name: 'consumer' }

function all(unacked: Unacked<object>): HeldDelivery<object>[] {
  const held: HeldDelivery<object>[] = []
  for (let place = unacked.first; unacked.count > 0 && place < unacked.end; place++) {
    if (unacked.holder(place) !== undefined) held.push(unacked.held(place))
  }
  return held
}

test('keeps what is not settled, in order, whatever is settled, restored and added between', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 40 }), gap: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ kind: fc.constant('remove' as const), nth: fc.nat(), count: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ kind: fc.constant('restore' as const), nth: fc.nat(), count: fc.integer({ min: 1, max: 30 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const unacked = new Unacked<object>()
      const model = new Map<number, HeldDelivery<object>>()
      let tag = 0
      const take = (nth: number, count: number): HeldDelivery<object>[] => {
        const from = model.size === 0 ? 0 : nth % model.size
        const taken = [...model.values()].slice(from, from + count)
        for (const each of taken) {
          const place = unacked.find(each.tag)
          expect(unacked.held(place)).toEqual(each)
          unacked.remove(place)
          expect(unacked.find(each.tag)).toBe(-1)
        }
        return taken
      }
      for (const each of steps) {
        if (each.kind === 'add') {
          for (let n = 0; n < each.count; n++) {
            tag += 1 + each.gap
            const delivery = { tag, holder, partition: tag % 3, offset: tag * 7, seconds: tag >> 2 }
            unacked.add(tag, holder, delivery.partition, delivery.offset, delivery.seconds)
            model.set(tag, delivery)
          }
        } else {
          const taken = take(each.nth, each.count)
          if (each.kind === 'restore') unacked.restore(taken)
          else for (const { tag: gone } of taken) model.delete(gone)
        }
        expect(unacked.count).toBe(model.size)
        expect(all(unacked)).toEqual([...model.values()])
      }
      expect(unacked.find(0)).toBe(-1)
      expect(unacked.find(tag + 1)).toBe(-1)
    }),
  )
})

test('a tag between others that was never given is not found', () => {
  const unacked = new Unacked<object>()
  for (const tag of [2, 4, 9]) unacked.add(tag, holder, 0, tag, 0)
  expect([1, 3, 5, 8, 10].map((tag) => unacked.find(tag))).toEqual([-1, -1, -1, -1, -1])
  expect([2, 4, 9].map((tag) => unacked.tag(unacked.find(tag)))).toEqual([2, 4, 9])
})
