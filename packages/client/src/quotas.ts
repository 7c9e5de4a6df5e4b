/** How much users and clients may publish, consume and have done. */

/** For whom: a user, or what a client calls itself, or both. `*` is for each of them that has no other quota. */
export interface QuotaScope {
  readonly user?: string
  readonly clientId?: string
}

/** Absent figures mean no limit. What counts of bytes is the size of record batches. */
export interface QuotaSpec extends QuotaScope {
  readonly publishBytesPerSecond?: number
  readonly consumeBytesPerSecond?: number
  /** Of the broker's time, for requests of Kafka's clients. */
  readonly requestPercent?: number
  /** Partitions that Kafka's clients create and delete. */
  readonly partitionChangesPerSecond?: number
}

export interface QuotaAdmin {
  quotas(): Promise<readonly QuotaSpec[]>
  /** Replaces the quota of its scope. @throws MillraceError `bad_request`, `limit_reached` */
  setQuota(spec: QuotaSpec): Promise<void>
  /** @throws MillraceError `not_found` */
  removeQuota(scope: QuotaScope): Promise<void>
}
