import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fifo } from './fifo.ts'

it('a fifo behaves like an array', () => {
  const steps = fc.array(fc.oneof(fc.integer(), fc.constant('shift' as const), fc.constant('all' as const)), { maxLength: 200 })
  fc.assert(
    fc.property(steps, (list) => {
      const fifo = new Fifo<number>()
      let model: number[] = []
      for (const step of list) {
        if (step === 'shift') expect(fifo.shift()).toBe(model.shift())
        else if (step === 'all') {
          expect(fifo.takeAll()).toEqual(model)
          model = []
        } else {
          fifo.push(step)
          model.push(step)
        }
        expect(fifo.length).toBe(model.length)
        expect(fifo.at(0)).toBe(model[0])
        expect(fifo.at(fifo.length - 1)).toBe(model.at(-1))
      }
    }),
  )
  const long = new Fifo<number>()
  for (let n = 0; n < 10_000; n++) {
    long.push(n)
    long.push(n)
    expect(long.shift()).toBe(n >> 1)
  }
})
