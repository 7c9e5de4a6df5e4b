/** Pins docs/formats/journal.md: a change here is a change of the format and needs a new version number. */
import { describe, expect, it } from 'vitest'
import { crc32c } from './checksum.ts'
import { FaultFileSystem } from './fault-file-system.ts'
import { decodeFrameHeader, encodeFrameHeader, endMarker, FRAME_HEADER_BYTES, frameBytes } from './frame.ts'
import { openDiskJournal } from './open-disk-journal.ts'
import { decodeSegmentFooter, decodeSegmentHeader, encodeSegmentFooter, encodeSegmentHeader } from './segment-format.ts'
import { seededRandom } from './seeded-random.ts'

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/(.{8})(?=.)/g, '$1 ')
}

const header = { version: 1, generation: 0x2a, salt: 0xdeadbeef, segmentBytes: 64 * 1024 * 1024 }
const footer = {
  generation: 0x2a,
  salt: 0xdeadbeef,
  count: 3,
  first: 2 ** 40 + 5,
  end: 8192,
  bodyBytes: 3000,
  previousChecksum: 0x11223344,
  lastChecksum: 0x55667788,
}

describe('the format of the journal', () => {
  it('has this segment header', () => {
    const bytes = encodeSegmentHeader(header, crc32c)
    expect(hex(bytes)).toBe('4d525331 01000000 2a000000 efbeadde 00000004 00000000 00000000 c7cef422')
    expect(decodeSegmentHeader(bytes, crc32c)).toEqual(header)
  })

  it('has this segment footer', () => {
    const bytes = encodeSegmentFooter(footer, crc32c)
    expect(hex(bytes)).toBe(
      '4d524531 2a000000 efbeadde 03000000 05000000 00010000 00200000 00000000 b80b0000 00000000 44332211 88776655 00000000 00000000 00000000 4e2b3aa2',
    )
    expect(decodeSegmentFooter(bytes, header, crc32c)).toEqual(footer)
    expect(decodeSegmentFooter(bytes, { ...header, generation: 0x2b }, crc32c)).toBeUndefined()
    expect(decodeSegmentFooter(bytes, { ...header, salt: 1 }, crc32c)).toBeUndefined()
  })

  it('has this frame header', () => {
    const bytes = Buffer.alloc(FRAME_HEADER_BYTES)
    const fields = {
      bodyBytes: 64,
      epoch: 7,
      seq: 2 ** 40 + 5,
      previousChecksum: 0x11223344,
      bodyChecksum: 0x55667788,
      unsynced: 2,
    }
    const headerChecksum = encodeFrameHeader(bytes, 0x2a, 0xdeadbeef, fields, crc32c)
    expect(hex(bytes)).toBe('4d524631 2a000000 40000000 07000000 05000000 00010000 44332211 88776655 02000000 e87aef5a')
    expect(decodeFrameHeader(bytes, 0, 0x2a, 0xdeadbeef, crc32c)).toEqual({ ...fields, headerChecksum })
    expect(decodeFrameHeader(bytes, 0, 0x2b, 0xdeadbeef, crc32c)).toBeUndefined()
    expect(decodeFrameHeader(bytes, 0, 0x2a, 0xdeadbeee, crc32c)).toBeUndefined()
    expect(endMarker(headerChecksum) + headerChecksum).toBe(2 ** 32 - 1)
    expect(frameBytes(64)).toBe(112)
  })

  it('has these files', async () => {
    const files = new FaultFileSystem({ random: seededRandom(1) })
    const options = { directory: '/data', durability: 'fsync', segmentBytes: 16 * 1024, batchBytesMax: 1024 } as const
    const journal = await openDiskJournal({ ...options, fileSystem: files.boot(), random: seededRandom(2) })
    for (let seq = 0; seq < 60; seq++) await journal.append(seq, [Buffer.alloc(1000, seq)])
    await journal.discard(11, 25)
    await journal.close()
    const names = files.paths().map((path) => path.slice('/data/'.length))
    expect(names.filter((name) => name.endsWith('.segment')).length).toBeGreaterThan(3)
    expect(names).toContain('0000000001.segment')
    expect(names).not.toContain('0000000002.segment')
    const slots = [0, 1].map((slot) => {
      const bytes = Buffer.from(files.contents('/data/manifest')).subarray(slot * 16 * 1024, (slot + 1) * 16 * 1024)
      const text = bytes.subarray(16, 16 + bytes.readUInt32LE(4))
      expect(bytes.toString('latin1', 0, 4)).toBe('MRM1')
      expect(bytes.readUInt32LE(8)).toBe(crc32c(text))
      return JSON.parse(text.toString()) as { counter: number }
    })
    const newest = slots.toSorted((a, b) => b.counter - a.counter)[0]
    expect(newest).toMatchObject({ version: 1, epoch: 1, durableNext: 60, freed: [[2, 2]] })
  })
})
