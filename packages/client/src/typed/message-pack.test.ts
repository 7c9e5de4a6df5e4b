import { decode, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MESSAGE_PACK_DEPTH_MAX, messagePackDecode, messagePackEncode } from './message-pack.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** Integers around every change of width. */
const edges = [0x20, 0x80, 0x100, 0x8000, 0x1_0000, 0x8000_0000, 0x1_0000_0000, Number.MAX_SAFE_INTEGER].flatMap((n) => [
  n - 1,
  n,
  -n,
  -n - 1 < Number.MIN_SAFE_INTEGER ? -n : -n - 1,
])

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.constantFrom(...edges),
  fc.double({ noNaN: true }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.date({ noInvalidDate: true }),
)
const key = fc.string({ unit: 'binary', maxLength: 40 }).filter((name) => name !== '__proto__')
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
})).value

describe('MessagePack', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(value, (given) => {
        expect(messagePackDecode(messagePackEncode(given))).toEqual(given)
      }),
    )
  })

  it('writes what @msgpack/msgpack reads', () => {
    fc.assert(
      fc.property(value, (given) => {
        expect(decode(messagePackEncode(given))).toEqual(given)
      }),
    )
  })

  it('reads what @msgpack/msgpack writes', () => {
    fc.assert(
      fc.property(value, (given) => {
        const bytes = encode(given)
        // Not `given`: that one writes minus zero as the integer 0.
        expect(messagePackDecode(bytes)).toEqual(decode(bytes))
      }),
    )
  })

  it.each(edges)('writes %d as short as the other does', (n) => {
    expect(hex(messagePackEncode(n))).toBe(hex(encode(n)))
  })

  it('takes every length', () => {
    for (const length of [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536]) {
      const given = [
        'x'.repeat(length),
        new Uint8Array(length).fill(7),
        Array.from({ length }, () => 1),
        Object.fromEntries(Array.from({ length }, (_, n) => [`k${n}`, n])),
      ]
      const bytes = messagePackEncode(given)
      expect(messagePackDecode(bytes)).toEqual(given)
      expect(decode(bytes)).toEqual(given)
    }
  })

  it('keeps 64-bit integers as bigints where a number cannot hold them', () => {
    for (const n of [2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), 2n ** 53n]) expect(messagePackDecode(messagePackEncode(n))).toBe(n)
    expect(messagePackDecode(messagePackEncode(7n))).toBe(7)
  })

  it('reads floats of 32 bits and all three forms of timestamps', () => {
    expect(messagePackDecode(bytesOf('ca 3f 80 00 00'))).toBe(1)
    expect(messagePackDecode(bytesOf('d6 ff 00 00 00 01'))).toEqual(new Date(1000))
    expect(messagePackDecode(bytesOf('d7 ff 77 35 94 00 00 00 00 01'))).toEqual(new Date(1500))
    expect(messagePackDecode(bytesOf('c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff'))).toEqual(new Date(-1000))
  })

  it('leaves out members that are undefined, and has null for them in arrays, as JSON', () => {
    const given = { a: undefined, b: [undefined, 1] }
    expect(messagePackDecode(messagePackEncode(given))).toEqual(JSON.parse(JSON.stringify(given)))
  })

  it('keeps a byte order mark: it is part of the text', () => {
    expect(messagePackDecode(messagePackEncode('\uFEFFx'))).toBe('\uFEFFx')
  })

  it('does not let a sender set a prototype', () => {
    const bytes = bytesOf('81 a9 5f5f70726f746f5f5f 81 a1 78 01')
    const read = messagePackDecode(bytes) as { x?: number }
    expect(read.x).toBeUndefined()
    expect(Object.keys(read)).toEqual(['__proto__'])
  })

  it('copies bytes out of the buffer that it reads from', () => {
    const bytes = messagePackEncode(Uint8Array.of(1, 2))
    const read = messagePackDecode(bytes)
    bytes.fill(0)
    expect(read).toEqual(Uint8Array.of(1, 2))
  })

  it('refuses what it cannot hold', () => {
    const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)])
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    expect(() => messagePackEncode(undefined)).toThrow(TypeError)
    expect(() => messagePackEncode(() => 1)).toThrow(TypeError)
    expect(() => messagePackEncode(Symbol('s'))).toThrow(TypeError)
    expect(() => messagePackEncode(new Map())).toThrow('Map')
    expect(() => messagePackEncode(new Date(NaN))).toThrow('invalid Date')
    expect(() => messagePackEncode(2n ** 64n)).toThrow(RangeError)
    expect(() => messagePackEncode(cycle)).toThrow('nested deeper')
    expect(() => messagePackEncode(deep(MESSAGE_PACK_DEPTH_MAX + 1))).toThrow('nested deeper')
    expect(messagePackDecode(messagePackEncode(deep(MESSAGE_PACK_DEPTH_MAX)))).toEqual(deep(MESSAGE_PACK_DEPTH_MAX))
  })

  it.each([
    ['nothing', ''],
    ['the unused code', 'c1'],
    ['an array that claims more than there is', 'dd ff ff ff ff 01'],
    ['a map that claims more than there is', 'df ff ff ff ff 01 01'],
    ['bytes that claim more than there are', 'c6 ff ff ff ff 01'],
    ['an unknown extension', 'd4 05 00'],
    ['a timestamp of an odd length', 'd5 ff 00 00'],
    ['a timestamp beyond all dates', 'c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff'],
    ['text that is not UTF-8', 'a1 ff'],
    ['a map with a list for a key', '81 90 01'],
    ['two values', '01 02'],
    ['too many levels', `${'91'.repeat(MESSAGE_PACK_DEPTH_MAX + 1)}01`],
  ])('refuses %s', (_, bytes) => {
    expect(() => messagePackDecode(bytesOf(bytes))).toThrow(/./)
  })

  it('refuses every value that is cut off, and survives any bytes', () => {
    fc.assert(
      fc.property(value, (given) => {
        const bytes = messagePackEncode(given)
        for (let length = 0; length < Math.min(bytes.length, 200); length++) {
          expect(() => messagePackDecode(bytes.subarray(0, length))).toThrow(/./)
        }
      }),
      { numRuns: 30 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          messagePackDecode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
