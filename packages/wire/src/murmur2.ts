/**
 * MurmurHash2, 32 bit, seed 0x9747b28c, as Kafka's default partitioner uses it
 * (org.apache.kafka.common.utils.Utils.murmur2). Returns a signed 32-bit number.
 */
export function murmur2(key: Uint8Array): number {
  const m = 0x5bd1e995
  const length = key.length
  let h = 0x9747b28c ^ length
  const blocksEnd = length & ~3
  for (let at = 0; at < blocksEnd; at += 4) {
    let k = key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length & 3
  if (rest === 3) h ^= key[blocksEnd + 2]! << 16
  if (rest >= 2) h ^= key[blocksEnd + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ key[blocksEnd]!, m)
  h ^= h >>> 13
  h = Math.imul(h, m)
  h ^= h >>> 15
  return h | 0
}

/** The partition of a key: toPositive(murmur2(key)) % partitions. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}
