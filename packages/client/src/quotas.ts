/** How many bytes per second users and clients may publish and consume. */

/** For whom: a user, or what a client calls itself, or both. `*` is for each of them that has no other quota. */
export interface QuotaScope {
  readonly user?: string
  readonly clientId?: string
}

/** Absent rates mean no limit. What counts is the size of record batches. */
export interface QuotaSpec extends QuotaScope {
  readonly publishBytesPerSecond?: number
  readonly consumeBytesPerSecond?: number
}

export interface QuotaAdmin {
  quotas(): Promise<readonly QuotaSpec[]>
  /** Replaces the quota of its scope. @throws MillraceError `bad_request`, `limit_reached` */
  setQuota(spec: QuotaSpec): Promise<void>
  /** @throws MillraceError `not_found` */
  removeQuota(scope: QuotaScope): Promise<void>
}
