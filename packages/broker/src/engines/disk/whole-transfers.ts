import type { File } from './file-system.ts'

/** Writes all bytes. @throws an error with code ENOSPC when only some of them fit */
export async function writeFully(file: File, bytes: Uint8Array, position: number): Promise<void> {
  let at = 0
  while (at < bytes.length) {
    const written = await file.write(at === 0 ? bytes : bytes.subarray(at), position + at)
    if (written === 0) throw noSpace()
    at += written
  }
}

/** Reads until `into` is full, by `read` or `readOnce`. The bytes beyond the end of the file are zeros. @returns bytes that the file had */
export async function readFully(file: File, into: Uint8Array, position: number, once = false): Promise<number> {
  let at = 0
  while (at < into.length) {
    const rest = at === 0 ? into : into.subarray(at)
    const count = await (once ? file.readOnce(rest, position + at) : file.read(rest, position + at))
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
