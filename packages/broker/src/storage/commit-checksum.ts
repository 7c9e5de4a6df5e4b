import { batchCrc, batchSize, BATCH_CRC_FROM } from '@millrace/wire'
import { combinedCrc32c } from '../base/crc32c-combine.ts'
import type { Crc32c } from '../ports/checksum.ts'

// hot path (bench/src/peers/compare-kafka.ts, pipelined)

/**
 * Of a commit with large record batches. They come with a checksum of nearly all their bytes, which was compared when they came, and are not
 * read once more.
 * @param head what the commit begins with
 * @param parts what follows; the first `records` of them are record batches, one or more each
 * @param largeBytes where that begins to pay
 * @returns undefined where all bytes would have to be read: whoever lays them out does that best
 */
export function commitChecksum(
  head: Uint8Array,
  parts: readonly Uint8Array[],
  records: number,
  largeBytes: number,
  crc32c: Crc32c,
): number | undefined {
  const isLarge = (part: Uint8Array, n: number): boolean =>
    n < records && part.length >= largeBytes && batchSize(part) === part.length
  if (!parts.some(isLarge)) return undefined
  let checksum = crc32c(head)
  for (let n = 0; n < parts.length; n++) {
    const part = parts[n]!
    if (isLarge(part, n)) {
      checksum = crc32c(part.subarray(0, BATCH_CRC_FROM), checksum)
      checksum = combinedCrc32c(checksum, batchCrc(part), part.length - BATCH_CRC_FROM)
    } else checksum = crc32c(part, checksum)
  }
  return checksum
}
