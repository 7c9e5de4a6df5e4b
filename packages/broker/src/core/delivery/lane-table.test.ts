import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LaneTable, NO_LANE } from './lane-table.ts'

// Many with one place, and such as are negative in 32 bits.
const keys = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.integer({ min: 0, max: 60 }).map((n) => n * 64),
  fc.integer({ min: 2 ** 31, max: 2 ** 32 - 1 }),
  fc.integer({ min: 0, max: 30 }).map((n) => 2 ** 32 - 1 - n * 1024),
)

test('holds what a map holds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), keys), { maxLength: 400 }), (steps) => {
      const table = new LaneTable()
      const map = new Map<number, number>()
      let lane = 0
      for (const [isAdded, key] of steps) {
        expect(table.get(key)).toBe(map.get(key) ?? NO_LANE)
        if (isAdded && !map.has(key)) {
          table.add(key, lane)
          map.set(key, lane++)
        } else if (!isAdded && map.has(key)) {
          table.delete(key)
          map.delete(key)
        }
        expect(table.size).toBe(map.size)
      }
      for (const [, key] of steps) expect(table.get(key)).toBe(map.get(key) ?? NO_LANE)
      table.clear()
      for (const [, key] of steps) expect(table.get(key)).toBe(NO_LANE)
    }),
    { numRuns: 300 },
  )
})
