import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SequenceRanges } from './sequence-ranges.ts'

describe('SequenceRanges', () => {
  it('behaves as a set of numbers, and reports each added number once', () => {
    const range = fc.tuple(fc.nat(60), fc.nat(15))
    fc.assert(
      fc.property(fc.array(range, { maxLength: 30 }), (ranges) => {
        const model = new Set<number>()
        const ranged = new SequenceRanges()
        for (const [first, length] of ranges) {
          const last = first + length - 1
          const expected = Array.from({ length }, (_, at) => first + at).filter((seq) => !model.has(seq))
          const added: number[] = []
          ranged.add(first, last, (from, to) => {
            for (let seq = from; seq <= to; seq++) added.push(seq)
          })
          expect(added).toEqual(expected)
          for (const seq of expected) model.add(seq)
          for (let seq = 0; seq < 80; seq++) expect(ranged.has(seq)).toBe(model.has(seq))
          let lowest = 0
          while (model.has(lowest)) lowest++
          expect(ranged.lowestMissing()).toBe(lowest)
        }
      }),
    )
  })
})
