/** Zstandard (RFC 8878): by Node where it has it, else in JavaScript. */
import { Decompress } from 'fzstd'
import * as zlib from 'node:zlib'
import { malformed, Output, tooLarge } from './output.ts'

/** Of Node 22.15 and later. */
type ZstdDecompressSync = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array

const byNode = (zlib as { readonly zstdDecompressSync?: ZstdDecompressSync }).zstdDecompressSync

const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a50
/** What every decoder has to take. A frame that is larger as a whole may look back on all of it. */
const WINDOW_BYTES_MIN = 8 * 1024 * 1024

/** @throws MillraceError `bad_batch`, `record_too_large` */
export function decompressZstd(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const frames = framesOf(bytes, Math.max(WINDOW_BYTES_MIN, bytesMax))
  if (byNode === undefined) return inJavaScript(bytes, bytesMax)
  // Node stops behind the first frame.
  if (frames.length === 1) return inNode(byNode, frames[0]!, bytesMax, bytesMax)
  const output = new Output(bytesMax)
  for (const frame of frames) output.append(inNode(byNode, frame, bytesMax - output.length, bytesMax))
  return output.take()
}

/** @param left of `bytesMax` */
function inNode(decompress: ZstdDecompressSync, frame: Uint8Array, left: number, bytesMax: number): Uint8Array {
  try {
    // The option is not allowed to be 0.
    return decompress(frame, { maxOutputLength: Math.max(1, left) })
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      ? tooLarge(bytesMax)
      : malformed((error as Error).message)
  }
}

function inJavaScript(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const output = new Output(bytesMax)
  let refusal: Error | undefined
  const stream = new Decompress((chunk) => {
    try {
      output.append(chunk)
    } catch (error) {
      refusal = error as Error
      throw error
    }
  })
  try {
    stream.push(bytes, true)
  } catch (error) {
    throw refusal ?? malformed((error as Error).message)
  }
  return output.take()
}

/** Walks over frames and blocks: a decoder takes as much memory as their headers say. @returns the frames that hold something */
function framesOf(bytes: Uint8Array, windowBytesMax: number): Uint8Array[] {
  const frames: Uint8Array[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  const take = (count: number): number => {
    const from = at
    at += count
    if (at > bytes.length) throw malformed('a zstd frame ends early')
    return from
  }
  while (at < bytes.length) {
    const start = at
    const magic = view.getUint32(take(4), true)
    if ((magic & ~15) >>> 0 === SKIPPABLE) {
      take(view.getUint32(take(4), true))
      continue
    }
    if (magic !== MAGIC) throw malformed('it is no zstd frame')
    const descriptor = bytes[take(1)]!
    const window = windowBytes(bytes, descriptor, take)
    if (window > windowBytesMax) throw malformed(`it needs a zstd window of ${window} bytes`)
    let isLast = false
    while (!isLast) {
      const header = take(3)
      const block = bytes[header]! | (bytes[header + 1]! << 8) | (bytes[header + 2]! << 16)
      isLast = (block & 1) !== 0
      const isRepeated = ((block >>> 1) & 3) === 1
      take(isRepeated ? 1 : block >>> 3)
    }
    if ((descriptor & 4) !== 0) take(4)
    frames.push(bytes.subarray(start, at))
  }
  return frames
}

function windowBytes(bytes: Uint8Array, descriptor: number, take: (count: number) => number): number {
  const isSingle = (descriptor & 0x20) !== 0
  let window = 0
  if (!isSingle) {
    const byte = bytes[take(1)]!
    const base = 2 ** (10 + (byte >>> 3))
    window = base + (base / 8) * (byte & 7)
  }
  take([0, 1, 2, 4][descriptor & 3]!)
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >>> 6]!
  const from = take(sizeBytes)
  let size = sizeBytes === 2 ? 256 : 0
  for (let n = 0; n < sizeBytes; n++) size += bytes[from + n]! * 2 ** (8 * n)
  return isSingle ? size : window
}
