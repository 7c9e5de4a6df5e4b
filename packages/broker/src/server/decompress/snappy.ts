/** Snappy (https://github.com/google/snappy/blob/main/format_description.txt), bare or in the blocks of xerial's Java library. */
import { malformed, Output, tooLarge } from './output.ts'

const XERIAL: readonly number[] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
/** Magic and two versions. */
const XERIAL_HEADER_BYTES = 16
/** No copy makes more of its input than this. */
const RATIO_MAX = 64

/** @throws MillraceError `bad_batch`, `record_too_large` */
export function decompressSnappy(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const output = new Output(bytesMax)
  if (!XERIAL.every((byte, n) => bytes[n] === byte)) {
    decodeBlock(bytes, output, bytesMax)
    return output.take()
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = XERIAL_HEADER_BYTES
  if (at > bytes.length) throw malformed('it ends in its snappy header')
  while (at < bytes.length) {
    const size = at + 4 <= bytes.length ? view.getInt32(at) : -1
    at += 4
    if (size < 0 || at + size > bytes.length) throw malformed('a snappy block ends early')
    decodeBlock(bytes.subarray(at, at + size), output, bytesMax)
    at += size
  }
  return output.take()
}

function decodeBlock(block: Uint8Array, output: Output, bytesMax: number): void {
  let at = 0
  let claimed = 0
  for (let shift = 0; ; shift += 7) {
    const byte = block[at++]
    if (byte === undefined || shift > 28) throw malformed('it has no snappy length')
    claimed += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  if (output.length + claimed > bytesMax) throw tooLarge(bytesMax)
  if (claimed > block.length * RATIO_MAX) throw malformed('a snappy block claims more than it can hold')
  const end = output.length + claimed
  output.reserve(claimed)
  const little = (bytes: number): number => {
    if (at + bytes > block.length) throw malformed('a snappy element ends early')
    let value = 0
    for (let n = 0; n < bytes; n++) value += block[at++]! * 2 ** (8 * n)
    return value
  }
  while (at < block.length) {
    const tag = block[at++]!
    const kind = tag & 3
    if (kind === 0) {
      const code = tag >>> 2
      const length = (code < 60 ? code : little(code - 59)) + 1
      if (at + length > block.length) throw malformed('a snappy literal ends early')
      if (output.length + length > end) throw malformed('a snappy block holds more than it claims')
      output.append(block.subarray(at, at + length))
      at += length
      continue
    }
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    const distance = kind === 1 ? (tag >>> 5) * 256 + little(1) : little(kind === 2 ? 2 : 4)
    if (output.length + length > end) throw malformed('a snappy block holds more than it claims')
    output.repeat(distance, length)
  }
  if (output.length !== end) throw malformed('a snappy block holds less than it claims')
}
