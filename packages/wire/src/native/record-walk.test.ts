import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeBatch, RecordBatchBuilder } from '../record-batch-builder.ts'
import { BATCH_HEADER_BYTES, batchProblem, decodeBatch } from '../record-batch.ts'
import { readHeaders, RecordCursor } from './record-cursor.ts'
import { BatchCutter, KeyCursor, locateHeader, recordsProblem } from './record-walk.ts'

const blob = fc.uint8Array({ maxLength: 200 })
const record = fc.record({
  timestampMs: fc.nat({ max: 2 ** 45 }),
  key: fc.option(blob),
  value: fc.option(blob),
  headers: fc.array(fc.record({ key: fc.string(), value: fc.option(blob) }), { maxLength: 4 }),
})
const records = fc.array(record, { minLength: 1, maxLength: 20 })

describe('recordsProblem', () => {
  it('finds nothing in a batch that was built', () => {
    fc.assert(
      fc.property(records, (list) => {
        expect(recordsProblem(encodeBatch(list))).toBeUndefined()
      }),
    )
    const gaps = new RecordBatchBuilder()
    gaps.append(1, null, Uint8Array.of(1), [], 3)
    gaps.append(1, null, Uint8Array.of(2), [], 9)
    expect(recordsProblem(gaps.finish(12))).toBeUndefined()
  })

  it('finds a cut at every byte', () => {
    fc.assert(
      fc.property(records, (list) => {
        const batch = encodeBatch(list)
        for (let length = BATCH_HEADER_BYTES; length < batch.length; length++) {
          expect(recordsProblem(batch.subarray(0, length))).toBeDefined()
        }
      }),
      { numRuns: 50 },
    )
  })

  it('lets nothing pass that a reader would stumble over', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(records, changes, (list, mutations) => {
        const batch = encodeBatch(list).slice()
        for (const [at, value] of mutations) batch[BATCH_HEADER_BYTES + (at % (batch.length - BATCH_HEADER_BYTES))] = value
        if (recordsProblem(batch) !== undefined) return
        const decoded = decodeBatch(batch, 0)
        expect(decoded.length).toBe(list.length)
        decoded.forEach((entry, n) => {
          if (n > 0) expect(entry.offset).toBeGreaterThan(decoded[n - 1]!.offset)
        })
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses counts, orders and leftovers that do not fit', () => {
    const batch = encodeBatch([
      { timestampMs: 1, value: Uint8Array.of(1) },
      { timestampMs: 1, value: Uint8Array.of(2) },
    ]).slice()
    const view = new DataView(batch.buffer)
    view.setInt32(57, 1)
    expect(recordsProblem(batch)).toMatch(/follow the last record/)
    view.setInt32(57, 3)
    expect(recordsProblem(batch)).toBeDefined()
    view.setInt32(57, 2)
    view.setInt32(23, 0)
    expect(recordsProblem(batch)).toMatch(/out of order/)
  })
})

describe('locateHeader', () => {
  it('finds in each record what a cursor finds', () => {
    const name = fc.constantFrom('a', 'id', 'message-id')
    const named = record.chain((parts) =>
      fc.array(fc.record({ key: name, value: fc.option(blob) }), { maxLength: 4 }).map((headers) => ({ ...parts, headers })),
    )
    fc.assert(
      fc.property(fc.array(named, { minLength: 1, maxLength: 20 }), name, (list, wanted) => {
        const batch = encodeBatch(list)
        const bytes = new TextEncoder().encode(wanted)
        const places = new Int32Array(2 * list.length)
        locateHeader(batch, bytes, places)
        const cursor = new RecordCursor(batch)
        for (let n = 0; cursor.next(); n++) {
          const isThere = cursor.findHeader(bytes)
          expect(places[n * 2 + 1]).toBe(cursor.headerLength)
          if (isThere) expect(places[n * 2]).toBe(cursor.headerAt)
        }
      }),
    )
  })
})

describe('BatchCutter', () => {
  it('cuts any runs into batches that hold just those records', () => {
    fc.assert(
      fc.property(records, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }), (list, sizes) => {
        const batch = encodeBatch(list)
        const cutter = new BatchCutter()
        for (let first = 0, n = 0; first < list.length; n++) {
          const last = Math.min(list.length, first + sizes[n % sizes.length]!) - 1
          const cut = cutter.cut(batch, first, last)
          expect(batchProblem(cut)).toBeUndefined()
          expect(recordsProblem(cut)).toBeUndefined()
          expect(decodeBatch(cut, 0)).toEqual(decodeBatch(batch, 0, first, last))
          first = last + 1
        }
        // Also backwards, and again after another batch.
        expect(decodeBatch(cutter.cut(batch, 0, 0), 0)).toEqual(decodeBatch(batch, 0, 0, 0))
      }),
    )
  })
})

describe('RecordCursor', () => {
  it('finds what a full decode finds', () => {
    fc.assert(
      fc.property(records, (list) => {
        const batch = encodeBatch(list)
        const cursor = new RecordCursor(batch)
        const part = (at: number, length: number): Uint8Array | null => (length < 0 ? null : batch.slice(at, at + length))
        const found = []
        while (cursor.next()) {
          found.push({
            offset: cursor.offsetDelta,
            timestampMs: cursor.timestampMs,
            key: part(cursor.keyAt, cursor.keyLength),
            value: part(cursor.valueAt, cursor.valueLength),
            headers: readHeaders(batch, cursor.headersAt, cursor.end),
          })
        }
        expect(found).toEqual(decodeBatch(batch, 0))
      }),
    )
  })
})

describe('KeyCursor', () => {
  it('finds the keys that a cursor over all parts finds', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(record, fc.integer({ min: 1, max: 70_000 })), { minLength: 1, maxLength: 20 }), (list) => {
        const builder = new RecordBatchBuilder()
        let delta = -1
        for (const [{ timestampMs, key, value, headers }, step] of list) {
          delta += step
          builder.append(timestampMs, key, value, headers, delta)
        }
        const batch = builder.finish()
        const all = new RecordCursor(batch)
        const keys = new KeyCursor(batch)
        while (all.next()) {
          expect(keys.next()).toBe(true)
          const { offsetDelta, keyAt, keyLength } = all
          expect(keys).toMatchObject({ offsetDelta, keyAt, keyLength })
        }
        expect(keys.next()).toBe(false)
      }),
    )
  })
})
