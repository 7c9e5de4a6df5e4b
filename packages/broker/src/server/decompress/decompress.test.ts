import fc from 'fast-check'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { lz4, text, zstd } from '../../../test/decompress/compressed-text.ts'
import { MillraceError } from '../../base/errors.ts'
import { decompress } from './decompress.ts'

const GZIP = 1
const SNAPPY = 2
const LZ4 = 3
const ZSTD = 4
const MIB = 1024 * 1024

const plain = Buffer.from(text)

/** Literals, then a copy that repeats the last `distance` bytes. */
const snappy = Uint8Array.of(14, 3 << 2, 0x61, 0x62, 0x63, 0x64, ((10 - 1) << 2) | 2, 4, 0)
const xerialHeader = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1)

function text14(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}

/** The code of the refusal; what comes out otherwise is no more than was allowed. */
function outcome(compression: number, bytes: Uint8Array, bytesMax = MIB): string {
  try {
    expect(decompress(compression, bytes, bytesMax).length).toBeLessThanOrEqual(bytesMax)
    return 'done'
  } catch (error) {
    if (error instanceof MillraceError) return error.code
    throw error
  }
}

describe('what others compressed', () => {
  test('with gzip', () => expect(Buffer.from(decompress(GZIP, gzipSync(plain), MIB))).toEqual(plain))
  test('with lz4, in blocks that refer to each other', () => expect(Buffer.from(decompress(LZ4, lz4, MIB))).toEqual(plain))
  test('with zstd', () => expect(Buffer.from(decompress(ZSTD, zstd, MIB))).toEqual(plain))
  test('with snappy', () => expect(text14(decompress(SNAPPY, snappy, MIB))).toBe('abcdabcdabcdab'))

  test('with snappy in blocks of Java', () => {
    const block = Buffer.concat([Uint8Array.of(0, 0, 0, snappy.length), snappy])
    const bytes = Buffer.concat([xerialHeader, block, block])
    expect(text14(decompress(SNAPPY, bytes, MIB))).toBe('abcdabcdabcdababcdabcdabcdab')
  })

  test('in several frames', () => {
    expect(Buffer.from(decompress(ZSTD, Buffer.concat([zstd, zstd]), MIB))).toEqual(Buffer.concat([plain, plain]))
    expect(Buffer.from(decompress(LZ4, Buffer.concat([lz4, lz4]), MIB))).toEqual(Buffer.concat([plain, plain]))
  })
})

const samples: [string, number, Uint8Array][] = [
  ['gzip', GZIP, gzipSync(plain)],
  ['snappy', SNAPPY, snappy],
  ['snappy of Java', SNAPPY, Buffer.concat([xerialHeader, Uint8Array.of(0, 0, 0, snappy.length), snappy])],
  ['lz4', LZ4, lz4],
  ['zstd', ZSTD, zstd],
]

describe.each(samples)('%s', (_, compression, bytes) => {
  test('that holds more than there may be is refused', () => {
    const { length } = decompress(compression, bytes, MIB)
    expect(outcome(compression, bytes, length)).toBe('done')
    expect(outcome(compression, bytes, length - 1)).toBe('record_too_large')
    expect(outcome(compression, bytes, 1)).toBe('record_too_large')
  })

  test('cut anywhere is refused', () => {
    // What ends between blocks of Java, or before the first frame, is whole.
    const whole = compression === LZ4 || compression === ZSTD ? [0] : [0, xerialHeader.length]
    const ends: string[] = []
    for (let end = 0; end < bytes.length; end++) {
      if (!whole.includes(end)) ends.push(outcome(compression, bytes.subarray(0, end)))
    }
    expect(new Set(ends)).toEqual(new Set(['bad_batch']))
  })

  test('with damage is refused, or comes out as something that is not too long', () => {
    const damage = fc.record({ at: fc.nat(bytes.length - 1), by: fc.integer({ min: 1, max: 255 }) })
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (damages) => {
        const damaged = Uint8Array.from(bytes)
        for (const { at, by } of damages) damaged[at]! ^= by
        expect(['done', 'bad_batch', 'record_too_large']).toContain(outcome(compression, damaged, 20_000))
      }),
      { numRuns: 500 },
    )
  })

  test('of garbage is refused, or comes out as something that is not too long', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (garbage) => {
        expect(['done', 'bad_batch', 'record_too_large']).toContain(outcome(compression, garbage, 1000))
      }),
      { numRuns: 500 },
    )
  })
})

describe('bombs', () => {
  test('of gzip', () => expect(outcome(GZIP, gzipSync(Buffer.alloc(50 * MIB)), MIB)).toBe('record_too_large'))

  test('of zstd, which claim a window of gigabytes', () => {
    const header = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8)
    expect(outcome(ZSTD, Buffer.concat([header, Uint8Array.of(1, 0, 0)]))).toBe('bad_batch')
    const repeated = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x02, 0, 0x10, 0x61, 0x03, 0, 0x10, 0x61)
    expect(outcome(ZSTD, repeated, 1000)).toBe('record_too_large')
  })

  test('of lz4, in long matches', () => {
    const block = Uint8Array.from([0x1f, 0x61, 1, 0, ...Array.from({ length: 5000 }, () => 255), 0, 0])
    const size = Uint8Array.of(block.length & 255, block.length >>> 8, 0, 0)
    const frame = Buffer.concat([Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0), size, block, Uint8Array.of(0, 0, 0, 0)])
    expect(outcome(LZ4, frame, 2 * MIB)).toBe('done')
    expect(outcome(LZ4, frame, MIB)).toBe('record_too_large')
  })

  test('of snappy, which claim what they do not hold', () => {
    expect(outcome(SNAPPY, Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 0))).toBe('record_too_large')
    expect(outcome(SNAPPY, Uint8Array.of(0xff, 0xff, 0x3f, 0))).toBe('bad_batch')
  })
})

test('a compression that does not exist is refused', () => expect(outcome(5, new Uint8Array(10))).toBe('bad_batch'))
