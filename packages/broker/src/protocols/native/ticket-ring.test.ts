import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TicketRing } from './ticket-ring.ts'

it('a ticket ring behaves like an array of pairs', () => {
  const step = fc.oneof(
    fc.record({ push: fc.nat({ max: 3 }) }),
    fc.record({ commit: fc.nat({ max: 5 }) }),
    fc.record({ drop: fc.nat({ max: 5 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const ring = new TicketRing()
      const model: [number, number][] = []
      let ticket = 0
      let value = 0
      for (const action of steps) {
        if ('push' in action) {
          ticket += action.push
          model.push([ticket, value])
          ring.push(ticket, value++)
        } else if ('commit' in action) {
          const committed = ticket - action.commit
          const durable = model.findIndex(([each]) => each > committed)
          expect(ring.durable(committed)).toBe(durable === -1 ? model.length : durable)
          if (model.length > 0 && model[0]![0] <= committed) expect(ring.shift()).toBe(model.shift()![1])
        } else {
          const count = Math.min(action.drop, model.length)
          model.splice(0, count)
          ring.drop(count)
        }
        expect(ring.length).toBe(model.length)
      }
      while (model.length > 0) expect(ring.shift()).toBe(model.shift()![1])
    }),
  )
})
