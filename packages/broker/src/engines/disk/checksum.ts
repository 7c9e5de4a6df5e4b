import { createRequire } from 'node:module'
import { crc32c as portableCrc32c } from '@millrace/wire'
import type { Crc32c } from '../../ports/checksum.ts'

/** The native CRC-32C (about 30 GB/s); the portable one (1.6 GB/s) on a platform for which no binary is published. */
export const crc32c: Crc32c = nativeCrc32c() ?? portableCrc32c

function nativeCrc32c(): Crc32c | undefined {
  try {
    const native = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: Crc32c }
    return native.crc32c
  } catch (error) {
    if (isMissingBinary(error)) return undefined
    throw error
  }
}

/** The package throws a plain Error, with the attempts as its cause, when no binary fits this platform. */
function isMissingBinary(error: unknown): boolean {
  return error instanceof Error && ('code' in error ? error.code === 'MODULE_NOT_FOUND' : /native binding/.test(error.message))
}
