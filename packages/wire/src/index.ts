export * from './crc32c.ts'
export * from './murmur2.ts'
export * from './record-batch.ts'
