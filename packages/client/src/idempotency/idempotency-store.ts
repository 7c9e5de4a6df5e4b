/**
 * Remembers what was begun and what was done, by key. All times are measured by the store's own clock, so that processes whose
 * clocks differ agree on who holds a claim.
 *
 *     (unknown) --begin--> in progress --complete--> done --retentionMs--> (unknown)
 *                            |     ^
 *                            |     '-- begin, once the lease has run out: a higher fence
 *                            '--release--> (unknown)
 *
 * Every call is atomic, also between processes.
 */
export interface IdempotencyStore {
  /** Claims the key, or tells why not. @throws MillraceError `limit_reached` when the store is full */
  begin(key: string, options: BeginOptions): Promise<BeginResult>
  /**
   * The work is done: later calls of `begin` answer `done` for `retentionMs`. Succeeds after the lease ran out, too, as long as
   * nobody else has begun meanwhile.
   * @throws MillraceError `stale_claim` when `fence` is not the current claim's
   */
  complete(key: string, fence: number, result?: Uint8Array): Promise<void>
  /** The work is not done and may begin anew at once. @throws MillraceError `stale_claim` as `complete` does */
  release(key: string, fence: number): Promise<void>
  /** What `begin` would find; undefined for a key that it would claim. */
  get(key: string): Promise<IdempotencyEntry | undefined>
  /** Forgets entries whose time is over, at most `max` of them (default 1,000). Each `begin` forgets a few by itself. @returns how many */
  purge(max?: number): Promise<number>
}

export interface BeginOptions {
  /** How long the claim is kept for a holder that is not heard of any more. */
  readonly leaseMs: number
  /** How long the key is remembered once the work is done. */
  readonly retentionMs: number
  /** Stands for the payload: the same key with another one is a mismatch. Not compared where one of the two is missing. */
  readonly fingerprint?: string
}

export type BeginResult =
  /** The claim is yours. `fence` is higher than that of every earlier claim of this key. */
  | { readonly state: 'started'; readonly fence: number }
  /** Somebody else has it; the lease runs out after `retryAfterMs`. */
  | { readonly state: 'in-progress'; readonly retryAfterMs: number }
  | { readonly state: 'done'; readonly result: Uint8Array | undefined }
  /** The key is in progress or done with another fingerprint. */
  | { readonly state: 'mismatch' }

export type IdempotencyEntry =
  | { readonly state: 'in-progress'; readonly fence: number }
  | { readonly state: 'done'; readonly fence: number; readonly result: Uint8Array | undefined }
