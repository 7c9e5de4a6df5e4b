import { crc32c } from '@millrace/wire'
import { expect, test } from 'vitest'
import { COMMIT_HEADER_BYTES, readCommitHeader, writeCommitHeader, type CommitHeader } from './commit-format.ts'

const header: CommitHeader = {
  sequence: 5_000_000_123,
  checkpointFirst: 77,
  checkpointLast: -1,
  nextLogId: 42,
  baseTimestampMs: 1_700_000_000_000,
  directoryLength: 1234,
  entries: 56,
  directoryCrc: 0xdeadbeef,
}

function written(): Uint8Array {
  const bytes = new Uint8Array(COMMIT_HEADER_BYTES)
  writeCommitHeader(bytes, header, crc32c)
  return bytes
}

test('a header is as docs/formats/commit.md says', () => {
  expect(Buffer.from(written()).toString('hex')).toBe(
    '4d4c434d01000000000000012a05f27b000000000000004dffffffffffffffff000000000000002a0000018bcfe56800000004d200000038deadbeef' +
      crc32c(written().subarray(0, 60)).toString(16).padStart(8, '0'),
  )
  expect(readCommitHeader(written(), header.sequence, crc32c)).toEqual(header)
})

test('a header with any bit flipped, of another commit, or cut short is corrupt', () => {
  for (let bit = 0; bit < COMMIT_HEADER_BYTES * 8; bit++) {
    const bytes = written()
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => readCommitHeader(bytes, header.sequence, crc32c)).toThrow(expect.objectContaining({ code: 'data_corrupt' }))
  }
  expect(() => readCommitHeader(written(), header.sequence + 1, crc32c)).toThrow('says it is commit 5000000123')
  expect(() => readCommitHeader(written().subarray(0, 63), header.sequence, crc32c)).toThrow('it has 63 bytes')
})

test('a newer format is not read', () => {
  const bytes = written()
  bytes[4] = 2
  const crc = crc32c(bytes.subarray(0, 60))
  new DataView(bytes.buffer).setUint32(60, crc)
  expect(() => readCommitHeader(bytes, header.sequence, crc32c)).toThrow(expect.objectContaining({ code: 'data_unusable' }))
})
