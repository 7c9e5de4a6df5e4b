import { batchProblem, crc32c, decodeBatch, encodeBatch, recordsProblem } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LevelScan } from './level-scan.ts'
import { placesOf } from './places-of.ts'
import { splitByLevel } from './split-by-level.ts'

const encoder = new TextEncoder()
const bytes = fc.uint8Array({ maxLength: 100 })
const priority = fc.option(fc.integer({ min: 0, max: 12 }))
const record = fc.record({
  timestampMs: fc.integer({ min: 0, max: 2 ** 41 }),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc
    .tuple(priority, priority)
    .map((priorities) => [
      ...priorities.flatMap((each) => (each === null ? [] : [{ key: 'priority', value: encoder.encode(String(each)) }])),
      { key: 'other', value: null },
    ]),
})

/** As a reader of the headers would say. */
function levelOf(headers: readonly { readonly key: string; readonly value: Uint8Array | null }[], priorities: number): number {
  const last = headers.findLast(({ key }) => key === 'priority')?.value
  return last === undefined || last === null ? 0 : Math.min(Number(Buffer.from(last).toString()), priorities - 1)
}

test('each level gets its records as they are, in their order, and their places tell where', () => {
  const cases = fc.tuple(fc.array(record, { minLength: 1, maxLength: 150 }), fc.integer({ min: 2, max: 12 }))
  const scan = new LevelScan()
  fc.assert(
    fc.property(cases, ([records, priorities]) => {
      const batch = encodeBatch(records)
      scan.scan(batch, priorities)
      const levels = records.map(({ headers }) => levelOf(headers, priorities))
      expect([...scan.levels.subarray(0, scan.records)]).toEqual(levels)
      expect([scan.first, scan.isMixed]).toEqual([levels[0], new Set(levels).size > 1])
      const parts = splitByLevel(batch, scan, crc32c)
      expect(parts.map(({ partition }) => partition)).toEqual([...new Set(levels)])
      for (const { partition, batch: part } of parts) {
        expect(batchProblem(part) ?? recordsProblem(part)).toBeUndefined()
        const own = records.filter((_, n) => levels[n] === partition)
        expect(decodeBatch(part, 0)).toEqual(own.map((each, offset) => ({ ...each, offset })))
      }
      const { placed, duplicates } = placesOf(
        scan,
        parts.map(({ partition }) => ({ partition, base: 100 * partition, duplicates: undefined })),
      )
      expect(duplicates).toEqual([])
      const seen = new Map<number, number>()
      for (const [position, level] of levels.entries()) {
        const nth = seen.get(level) ?? 0
        seen.set(level, nth + 1)
        const run = placed.findLast((each) => each.position <= position)!
        expect([run.partition, run.offset + position - run.position]).toEqual([level, 100 * level + nth])
      }
    }),
  )
})
