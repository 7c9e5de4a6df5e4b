import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c } from './crc32c.ts'
import { murmur2, partitionOfKey } from './murmur2.ts'
import {
  BATCH_HAS_EXPIRY,
  BATCH_HEADER_BYTES,
  batchAttributes,
  BatchFormatError,
  EXPIRES_AT_HEADER,
  batchMaxTimestampMs,
  batchOffsets,
  batchProblem,
  decodeBatch,
  setBatchBaseOffset,
  shiftBatchTimestamps,
} from './record-batch.ts'
import { encodeBatch, encodeHeaders, RecordBatchBuilder } from './record-batch-builder.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const blob = fc.uint8Array({ maxLength: 300 })
const record = fc.record({
  timestampMs: fc.integer({ min: 0, max: 2 ** 45 }),
  key: fc.option(blob),
  value: fc.option(blob),
  headers: fc.array(fc.record({ key: fc.string(), value: fc.option(blob) }), { maxLength: 4 }),
})

describe('crc32c', () => {
  it('matches the vectors of RFC 3720 B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, n) => n))).toBe(0x46dd794e)
    expect(crc32c(text('123456789'))).toBe(0xe3069283)
  })

  it('can be continued', () => {
    fc.assert(
      fc.property(blob, fc.nat(), (bytes, cut) => {
        const at = bytes.length === 0 ? 0 : cut % bytes.length
        expect(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at)))).toBe(crc32c(bytes))
      }),
    )
  })
})

describe('murmur2', () => {
  // Vectors of org.apache.kafka.common.utils.UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Kafka does', (key, hash) => {
    expect(murmur2(text(key))).toBe(hash)
  })

  it('gives a partition in range', () => {
    fc.assert(
      fc.property(blob, fc.integer({ min: 1, max: 1000 }), (key, partitions) => {
        const partition = partitionOfKey(key, partitions)
        expect(partition).toBeGreaterThanOrEqual(0)
        expect(partition).toBeLessThan(partitions)
      }),
    )
  })
})

describe('record batch', () => {
  it('gives back what was put in', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), fc.nat({ max: 2 ** 50 }), (records, base) => {
        const batch = encodeBatch(records)
        setBatchBaseOffset(batch, base)
        expect(batchProblem(batch)).toBeUndefined()
        expect(batchOffsets(batch)).toBe(records.length)
        expect(batchMaxTimestampMs(batch)).toBe(Math.max(...records.map((r) => r.timestampMs)))
        expect(decodeBatch(batch)).toEqual(records.map((r, n) => ({ offset: base + n, ...r })))
      }),
    )
  })

  it('is the same with headers and values that were encoded before', () => {
    const whole = record.filter(({ value }) => value !== null)
    fc.assert(
      fc.property(fc.array(whole, { minLength: 1, maxLength: 10 }), fc.nat({ max: 9 }), (records, at) => {
        const builder = new RecordBatchBuilder()
        for (const { timestampMs, key, value, headers } of records) {
          const bytes = new Uint8Array(at + value!.length + 3)
          bytes.set(value!, at)
          builder.appendEncoded(timestampMs, key, bytes, at, value!.length, encodeHeaders(headers))
        }
        expect(builder.finish()).toEqual(encodeBatch(records))
      }),
    )
  })

  it('announces that a record expires, whoever encoded its headers', () => {
    const headers = [
      { key: 'a', value: null },
      { key: EXPIRES_AT_HEADER, value: '5' },
    ]
    for (const some of [headers, headers.slice(0, 1)]) {
      const builder = new RecordBatchBuilder()
      builder.appendEncoded(1, 'k', new Uint8Array(0), 0, 0, encodeHeaders(some))
      const batch = builder.finish()
      expect(batchAttributes(batch)).toBe(some.length === 2 ? BATCH_HAS_EXPIRY : 0)
      expect(batch).toEqual(encodeBatch([{ timestampMs: 1, key: text('k'), value: new Uint8Array(0), headers: some }]))
    }
  })

  it('can be dated later as a whole', () => {
    const batch = encodeBatch([5, 3, 9].map((timestampMs) => ({ timestampMs, value: null })))
    shiftBatchTimestamps(batch, 1_700_000_000_000)
    expect(batchProblem(batch)).toBeUndefined()
    expect(batchMaxTimestampMs(batch)).toBe(1_700_000_000_009)
    expect(decodeBatch(batch).map((r) => r.timestampMs - 1_700_000_000_000)).toEqual([5, 3, 9])
  })

  it('decodes only the range that is asked for', () => {
    const batch = encodeBatch([1, 2, 3, 4].map((n) => ({ timestampMs: n, value: Uint8Array.of(n) })))
    expect(decodeBatch(batch, 10, 11, 12).map((r) => r.offset)).toEqual([11, 12])
  })

  it('keeps gaps in offsets', () => {
    const builder = new RecordBatchBuilder()
    builder.append(5, null, Uint8Array.of(1), [], 2)
    builder.append(6, null, Uint8Array.of(2), [], 7)
    const batch = builder.finish(10)
    expect(batchProblem(batch)).toBeUndefined()
    expect(batchOffsets(batch)).toBe(10)
    expect(decodeBatch(batch, 100).map((r) => r.offset)).toEqual([102, 107])
  })

  it('is refused when it is cut or any byte after the offset and epoch fields changes', () => {
    const batch = encodeBatch([
      { timestampMs: 1, key: text('k'), value: text('value'), headers: [{ key: 'h', value: text('x') }] },
    ])
    for (let length = 0; length < batch.length; length++) expect(batchProblem(batch.subarray(0, length))).toBeDefined()
    for (let at = 8; at < batch.length; at++) {
      if (at >= 12 && at < 16) continue
      const changed = batch.slice()
      changed[at]! ^= 0x10
      expect(batchProblem(changed), `byte ${at}`).toBeDefined()
    }
  })

  it('reads garbage records without anything but a format error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 1000 }), (garbage, count) => {
        const batch = new Uint8Array(BATCH_HEADER_BYTES + garbage.length)
        batch.set(garbage, BATCH_HEADER_BYTES)
        new DataView(batch.buffer).setInt32(57, count)
        try {
          decodeBatch(batch)
        } catch (error) {
          expect(error).toBeInstanceOf(BatchFormatError)
        }
      }),
    )
  })
})
