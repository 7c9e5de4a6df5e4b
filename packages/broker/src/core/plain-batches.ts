/** Batches that came in compressed are stored as they came; whoever looks at records sees them plain. */
import { BATCH_HEADER_BYTES, batchCompression, plainBatch } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { Decompress } from '../ports/decompress.ts'
import type { StoredBatch } from '../storage/log-store.ts'

export class PlainBatches {
  readonly #decompress: Decompress
  readonly #crc32c: Crc32c
  readonly #bytesMax: number

  /** @param bytesMax of a plain batch */
  constructor(decompress: Decompress, crc32c: Crc32c, bytesMax: number) {
    this.#decompress = decompress
    this.#crc32c = crc32c
    this.#bytesMax = bytesMax
  }

  /** The batch itself when it is plain. @throws MillraceError `bad_batch`, `record_too_large` */
  of(batch: Uint8Array): Uint8Array {
    const compression = batchCompression(batch)
    if (compression === 0) return batch
    const records = this.#decompress(compression, batch.subarray(BATCH_HEADER_BYTES), this.#bytesMax - BATCH_HEADER_BYTES)
    return plainBatch(batch, records, this.#crc32c)
  }

  /** @throws MillraceError `data_corrupt` */
  ofStored(batches: readonly StoredBatch[]): readonly StoredBatch[] {
    let n = 0
    while (n < batches.length && batchCompression(batches[n]!.bytes) === 0) n++
    return n === batches.length ? batches : batches.map((batch) => this.#stored(batch))
  }

  #stored(batch: StoredBatch): StoredBatch {
    try {
      const bytes = this.of(batch.bytes)
      return bytes === batch.bytes ? batch : { ...batch, bytes }
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      throw new MillraceError('data_corrupt', `a stored batch cannot be decompressed: ${error.message}`, { cause: error })
    }
  }
}

/** Where nothing can be decompressed. */
export const refuseCompressed: Decompress = () => {
  throw new MillraceError('bad_batch', 'the record batch was refused: it is compressed')
}
