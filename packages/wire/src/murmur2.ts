/**
 * MurmurHash2, 32 bit, seed 0x9747b28c, as Kafka's default partitioner uses it
 * (org.apache.kafka.common.utils.Utils.murmur2). Returns a signed 32-bit number.
 * @param start of the key in `bytes`, `end` one past it
 */
export function murmur2(bytes: Uint8Array, start: number = 0, end: number = bytes.length): number {
  const m = 0x5bd1e995
  const length = end - start
  let h = 0x9747b28c ^ length
  const blocksEnd = start + (length & ~3)
  for (let at = start; at < blocksEnd; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length & 3
  if (rest === 3) h ^= bytes[blocksEnd + 2]! << 16
  if (rest >= 2) h ^= bytes[blocksEnd + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ bytes[blocksEnd]!, m)
  h ^= h >>> 13
  h = Math.imul(h, m)
  h ^= h >>> 15
  return h | 0
}

/** The partition of a key: toPositive(murmur2(key)) % partitions. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}
