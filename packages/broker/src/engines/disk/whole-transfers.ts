import type { File } from './file-system.ts'

/** Writes all parts. @throws an error with code ENOSPC when only some of it fits */
export async function writeFully(file: File, parts: readonly Uint8Array[], position: number): Promise<void> {
  let rest = parts
  let at = position
  while (rest.length > 0) {
    const written = await file.write(rest, at)
    if (written === 0) throw noSpace()
    at += written
    rest = withoutFirst(rest, written)
  }
}

/** Reads until `into` is full. The bytes beyond the end of the file are zeros. @returns bytes that the file had */
export async function readFully(file: File, into: Uint8Array, position: number): Promise<number> {
  let at = 0
  while (at < into.length) {
    const count = await file.read(at === 0 ? into : into.subarray(at), position + at)
    if (count === 0) {
      into.fill(0, at)
      break
    }
    at += count
  }
  return at
}

export function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}

function withoutFirst(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest: Uint8Array[] = []
  let skip = bytes
  for (const part of parts) {
    if (skip < part.length) rest.push(skip === 0 ? part : part.subarray(skip))
    skip = Math.max(0, skip - part.length)
  }
  return rest
}
