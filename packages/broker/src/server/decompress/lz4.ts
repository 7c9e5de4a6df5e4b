/** LZ4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md). Checksums are left to that of the batch. */
import { malformed, Output } from './output.ts'

const MAGIC = 0x184d2204
const STORED = 0x8000_0000
const MIN_MATCH = 4
const MORE = 15

/** @throws MillraceError `bad_batch`, `record_too_large` */
export function decompressLz4(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const output = new Output(bytesMax)
  let at = 0
  while (at < bytes.length) at = frame(bytes, view, at, output)
  return output.take()
}

/** @returns where it ends */
function frame(bytes: Uint8Array, view: DataView, start: number, output: Output): number {
  if (start + 7 > bytes.length || view.getUint32(start, true) !== MAGIC) throw malformed('it is no LZ4 frame')
  const flags = bytes[start + 4]!
  if (flags >>> 6 !== 1) throw malformed(`it has the LZ4 version ${flags >>> 6}`)
  const blockChecksum = (flags & 0x10) === 0 ? 0 : 4
  const contentSize = (flags & 0x08) === 0 ? 0 : 8
  const contentChecksum = (flags & 0x04) === 0 ? 0 : 4
  if ((flags & 0x01) !== 0) throw malformed('it needs an LZ4 dictionary')
  let at = start + 7 + contentSize
  for (;;) {
    if (at + 4 > bytes.length) throw malformed('an LZ4 frame ends early')
    const header = view.getUint32(at, true)
    at += 4
    if (header === 0) break
    const size = header & ~STORED
    if (at + size + blockChecksum > bytes.length) throw malformed('an LZ4 block ends early')
    const block = bytes.subarray(at, at + size)
    if (header >= STORED) output.append(block)
    else decodeBlock(block, output)
    at += size + blockChecksum
  }
  if (at + contentChecksum > bytes.length) throw malformed('an LZ4 frame ends early')
  return at + contentChecksum
}

function decodeBlock(block: Uint8Array, output: Output): void {
  const end = block.length
  let at = 0
  const length = (nibble: number): number => {
    let sum = nibble
    if (nibble !== MORE) return sum
    for (;;) {
      const byte = block[at++]
      if (byte === undefined) throw malformed('an LZ4 length ends early')
      sum += byte
      if (byte !== 255) return sum
    }
  }
  while (at < end) {
    const token = block[at++]!
    const literals = length(token >>> 4)
    if (at + literals > end) throw malformed('an LZ4 block ends in its literals')
    output.append(block.subarray(at, at + literals))
    at += literals
    // The last sequence is of literals alone.
    if (at === end) return
    if (at + 2 > end) throw malformed('an LZ4 block ends in a distance')
    const distance = block[at]! | (block[at + 1]! << 8)
    at += 2
    output.repeat(distance, length(token & MORE) + MIN_MATCH)
  }
}
