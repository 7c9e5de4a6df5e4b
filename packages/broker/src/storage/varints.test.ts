import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader, ByteWriter, readInt53, writeInt53 } from './varints.ts'

test('integers of up to 53 bits come back as they were written', () => {
  const values = fc.array(fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat()))
  fc.assert(
    fc.property(values, fc.array(fc.integer({ min: -(2 ** 51), max: 2 ** 51 })), (unsigned, signed) => {
      const writer = new ByteWriter(1)
      for (const value of unsigned) writer.varint(value)
      for (const value of signed) writer.zigzag(value)
      const reader = new ByteReader(writer.written())
      expect(unsigned.map(() => reader.varint())).toEqual(unsigned)
      expect(signed.map(() => reader.zigzag())).toEqual(signed.map((value) => value + 0))
      expect(reader.done).toBe(true)
    }),
  )
})

test('integers that end early, or do not end, are corrupt data', () => {
  const writer = new ByteWriter()
  writer.varint(2 ** 52)
  const bytes = writer.written()
  for (let end = 0; end < bytes.length; end++) {
    expect(() => new ByteReader(bytes.subarray(0, end)).varint()).toThrow(expect.objectContaining({ code: 'data_corrupt' }))
  }
  const endless = new Uint8Array(20).fill(0xff)
  expect(() => new ByteReader(endless).varint()).toThrow(expect.objectContaining({ code: 'data_corrupt' }))
})

test('fixed 64-bit fields hold negative and large integers', () => {
  const bytes = new Uint8Array(8)
  for (const value of [0, 1, -1, 2 ** 32, -(2 ** 32) - 5, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
    writeInt53(bytes, 0, value)
    expect(readInt53(bytes, 0)).toBe(value)
    expect(Number(new DataView(bytes.buffer).getBigInt64(0))).toBe(value)
  }
})
