import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeBatch } from '../record-batch-builder.ts'
import { BATCH_HEADER_BYTES, BatchFormatError } from '../record-batch.ts'
import { readHeaders, RecordCursor } from './record-cursor.ts'

const encoder = new TextEncoder()
const name = fc.constantFrom('', 'a', 'b', 'ab', 'größe', 'a'.repeat(70))
const headers = fc.array(fc.record({ key: name, value: fc.option(fc.uint8Array({ maxLength: 80 })) }), { maxLength: 6 })

test('findHeader finds what readHeaders finds: the last of a name', () => {
  fc.assert(
    fc.property(fc.array(headers, { minLength: 1, maxLength: 3 }), name, (records, wanted) => {
      const cursor = new RecordCursor(encodeBatch(records.map((each) => ({ timestampMs: 1, value: null, headers: each }))))
      for (const _ of records) {
        expect(cursor.next()).toBe(true)
        const last = readHeaders(cursor.batch, cursor.headersAt, cursor.end).findLast(({ key }) => key === wanted)
        expect(cursor.findHeader(encoder.encode(wanted))).toBe(last !== undefined && last.value !== null)
        if (last === undefined || last.value === null) continue
        expect(cursor.batch.subarray(cursor.headerAt, cursor.headerAt + cursor.headerLength)).toEqual(last.value)
      }
    }),
  )
})

test('damage is an error, and never leads out of the record', () => {
  const batch = encodeBatch([
    {
      timestampMs: 1,
      value: null,
      headers: [
        { key: 'abc', value: encoder.encode('12345') },
        { key: 'd', value: null },
      ],
    },
    { timestampMs: 1, value: null, headers: [{ key: 'x', value: encoder.encode('secret') }] },
  ])
  const wanted = encoder.encode('x')
  for (let at = BATCH_HEADER_BYTES; at < batch.length; at++) {
    for (const byte of [0, 1, 2, 0x7f, 0x80, 0xff]) {
      const damaged = batch.slice()
      damaged[at] = byte
      const cursor = new RecordCursor(damaged)
      try {
        cursor.next()
        if (cursor.findHeader(wanted)) expect(cursor.headerAt + cursor.headerLength).toBeLessThanOrEqual(cursor.end)
      } catch (error) {
        expect(error).toBeInstanceOf(BatchFormatError)
      }
    }
  }
})
