import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdTable } from './id-table.ts'

function hashOf(id: number): Int32Array {
  // Few different first words: most places in the index are fought for.
  return Int32Array.of(id % 7, id, -id, 5)
}

test('finds what it holds and nothing else, as a map does', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('add', 'drop', 'shrink'), fc.integer({ min: 1, max: 700 })), { maxLength: 40 })
  fc.assert(
    fc.property(steps, fc.constantFrom(0, 5, 2 ** 33), (program, start) => {
      const table = new IdTable(start)
      const model: number[] = []
      let next = 0
      for (const [step, count] of program) {
        for (let n = 0; n < (step === 'shrink' ? 1 : count); n++) {
          if (step === 'add') {
            const id = next++
            model.push(id)
            table.add(hashOf(id), 0, id % 3, id * 10, id * 2)
          } else if (step === 'shrink') table.shrink()
          else if (model.length > 0) {
            model.shift()
            table.drop(1)
          }
        }
        expect(table.size).toBe(model.length)
        const first = next - model.length
        for (const id of [0, 1, first - 1, first, first + 1, next - 1, next]) {
          const ordinal = table.find(hashOf(id), 0)
          if (id < first || id >= next) expect(ordinal).toBe(-1)
          else {
            expect(ordinal).toBe(start + id)
            expect([table.partition(ordinal), table.offset(ordinal), table.timeMs(ordinal)]).toEqual([id % 3, id * 10, id * 2])
          }
        }
      }
      for (let id = 0; id < next; id++) expect(table.find(hashOf(id), 0) >= 0).toBe(id >= next - model.length)
    }),
  )
})

test('gives memory back', () => {
  const table = new IdTable(0)
  const small = table.bytes
  for (let id = 0; id < 10_000; id++) table.add(hashOf(id), 0, 0, id, id)
  expect(table.bytes).toBe(16_384 * (32 + 28))
  table.drop(9999)
  table.shrink()
  expect(table.bytes).toBe(small)
  expect(table.find(hashOf(9999), 0)).toBe(9999)
})
