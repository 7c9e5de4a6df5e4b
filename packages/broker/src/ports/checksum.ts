/** CRC-32C (Castagnoli) over `bytes`, continued from `previous` (default 0). Returns an unsigned 32-bit number. */
export type Crc32c = (bytes: Uint8Array, previous?: number) => number
