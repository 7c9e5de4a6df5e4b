import type { Ticket } from '../../storage/log-store.ts'

/** Stands for each user, or each client, that has no quota of its own. */
export const EACH = '*'

/** For whom: a user, or what a client calls itself, or both. `*` is for each of them that has no other. */
export interface QuotaScope {
  readonly user?: string
  readonly clientId?: string
}

/** How much; absent means no limit. */
export interface QuotaSpec extends QuotaScope {
  /** Of record batches. */
  readonly publishBytesPerSecond?: number
  readonly consumeBytesPerSecond?: number
  /** Of the broker's time. */
  readonly requestPercent?: number
  /** Partitions that come to be and go. */
  readonly partitionChangesPerSecond?: number
}

/** What is counted: bytes, milliseconds of the broker's time, partitions. */
export type QuotaKind = 'publish' | 'consume' | 'requests' | 'partitions'

/** How fast users and clients may be. Doors ask, and slow down those who are faster. */
export interface Quotas {
  list(): readonly QuotaSpec[]
  /** @throws MillraceError `bad_request` for one that `set` would refuse */
  check(spec: QuotaSpec): void
  /** Replaces the quota of its scope. @throws MillraceError `bad_request`, `limit_reached` */
  set(spec: QuotaSpec): Ticket
  /** @throws MillraceError `not_found` */
  remove(scope: QuotaScope): Ticket
  /**
   * Counts what was done.
   * @returns milliseconds for which whoever did it has to wait; 0 while it is within its quota, at most a minute
   */
  charge(user: string, clientId: string, kind: QuotaKind, amount: number): number
  /** Bytes that may be done at a time without a wait afterwards of more than a second; Infinity without a quota. */
  burstBytes(user: string, clientId: string, kind: 'publish' | 'consume'): number
}
