/** What `Admin.redrive` is told, and tells. */

export interface RedriveOptions {
  /**
   * `queue:NAME` or `topic:NAME`. By default each message goes back to the queue where it died. One that died in a subscription then
   * stays: publishing it to the topic would give it to the other subscriptions again.
   */
  readonly to?: string
  /** Only the message with this offset. */
  readonly offset?: number
  /** Of that message: its level, in a queue with priorities. Default 0. */
  readonly partition?: number
  /** So many messages at most. */
  readonly max?: number
  /** Selector: only messages that it matches, like `"millrace-dead-reason" = 'expired'`. */
  readonly filter?: string
  /** Only count what would be moved. */
  readonly dryRun?: boolean
  readonly ratePerSecond?: number
  /** Keep the headers that tell of the death. */
  readonly keepHeaders?: boolean
  /** Cancels it: what was moved stays moved, and `state` is `cancelled`. */
  readonly signal?: AbortSignal
  /** Told about once a second how far it is. */
  readonly onProgress?: (info: RedriveInfo) => void
}

export interface RedriveInfo {
  readonly id: number
  readonly source: string
  readonly to?: string
  readonly dryRun: boolean
  readonly state: 'running' | 'done' | 'cancelled' | 'failed'
  /** Why it failed. */
  readonly error?: string
  /** Messages that were looked at. */
  readonly scanned: number
  /** Messages that were moved, or would be. */
  readonly moved: number
  /** Messages that were to be moved, and have no place to go. */
  readonly left: number
  /** By where the messages died (`unknown`: they are no dead letters) and of what. */
  readonly groups: readonly {
    readonly origin: string
    readonly reason: string
    readonly moved: number
    readonly left: number
  }[]
  readonly startedMs: number
  readonly endedMs?: number
}
