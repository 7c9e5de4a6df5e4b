import { gunzipSync } from 'node:zlib'
import type { Decompress } from '../../ports/decompress.ts'
import { decompressLz4 } from './lz4.ts'
import { malformed, tooLarge } from './output.ts'
import { decompressSnappy } from './snappy.ts'
import { decompressZstd } from './zstd.ts'

export const decompress: Decompress = (compression, bytes, bytesMax) => {
  switch (compression) {
    case 1:
      return decompressGzip(bytes, bytesMax)
    case 2:
      return decompressSnappy(bytes, bytesMax)
    case 3:
      return decompressLz4(bytes, bytesMax)
    case 4:
      return decompressZstd(bytes, bytesMax)
    default:
      throw malformed(`there is no compression ${compression}`)
  }
}

function decompressGzip(bytes: Uint8Array, bytesMax: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: bytesMax })
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      ? tooLarge(bytesMax)
      : malformed((error as Error).message)
  }
}
