/**
 * Decompresses the records of a batch, at once.
 * @param compression as in the batch's attributes: 1 gzip, 2 snappy, 3 lz4, 4 zstd
 * @param bytesMax no more than this is made, whatever the input claims
 * @throws MillraceError `bad_batch` when it is not well-formed, `record_too_large` when there is more of it
 */
export type Decompress = (compression: number, bytes: Uint8Array, bytesMax: number) => Uint8Array
