export {
  drizzleExecutor,
  kyselyExecutor,
  prismaExecutor,
  type DrizzleLike,
  type KyselyLike,
  type PrismaLike,
} from './executors.ts'
export { Inbox, type InboxOptions } from './inbox.ts'
export { migrate, type HasSchema } from './migrate.ts'
export { Outbox, type Backlog, type OutboxOptions } from './outbox/outbox.ts'
export type { Relay, RelayOptions, RelayProgress } from './outbox/relay-options.ts'
export { PostgresIdempotencyStore, type PostgresIdempotencyStoreOptions } from './postgres-idempotency-store.ts'
export type { PgClient, PgPool, PgResult, SqlExecutor, SqlResult } from './sql-executor.ts'
