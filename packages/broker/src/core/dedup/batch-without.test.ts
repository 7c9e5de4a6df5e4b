import { batchProblem, crc32c, decodeBatch, encodeBatch, recordsProblem } from '@millrace/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchWithout } from './batch-without.ts'

const bytes = fc.uint8Array({ maxLength: 200 })
const record = fc.record({
  timestampMs: fc.integer({ min: 0, max: 2 ** 41 }),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 20 }), value: fc.option(bytes) }), { maxLength: 3 }),
})

test('what is left is what was there, with offsets without gaps', () => {
  const cases = fc.array(record, { minLength: 1, maxLength: 150 }).chain((records) =>
    fc.tuple(
      fc.constant(records),
      fc.subarray(
        records.map((_, n) => n),
        { maxLength: records.length - 1 },
      ),
    ),
  )
  fc.assert(
    fc.property(cases, ([records, leftOut]) => {
      const batch = encodeBatch(records)
      new DataView(batch.buffer, batch.byteOffset).setInt32(53, 77)
      const rest = batchWithout(batch, leftOut, crc32c)
      expect(batchProblem(rest) ?? recordsProblem(rest)).toBeUndefined()
      const kept = records.filter((_, n) => !leftOut.includes(n))
      expect(decodeBatch(rest, 0)).toEqual(kept.map((each, offset) => ({ ...each, offset })))
      const view = new DataView(rest.buffer, rest.byteOffset)
      expect(Number(view.getBigInt64(35))).toBe(Math.max(...kept.map(({ timestampMs }) => timestampMs)))
      expect(view.getInt32(53)).toBe(77)
    }),
  )
})
