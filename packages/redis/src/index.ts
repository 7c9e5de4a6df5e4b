export type { IoredisLike, NodeRedisLike, RedisClient, RedisCommand } from './redis-command.ts'
export { RedisIdempotencyStore, type RedisIdempotencyStoreOptions } from './redis-idempotency-store.ts'
