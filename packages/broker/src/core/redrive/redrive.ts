/** Redrives, as doors see them. */
export interface RedriveSpec {
  /** `queue:NAME`. */
  readonly source: string
  /**
   * `queue:NAME` or `topic:NAME`. By default each message goes back to the queue that its header `millrace-dead-source` names. One
   * that died in a subscription then stays: publishing it to the topic would give it to the other subscriptions again.
   */
  readonly to?: string
  /** Only the message with this offset. */
  readonly offset?: number
  /** Of the message with that offset: its level, in a queue with priorities. Default 0. */
  readonly partition?: number
  /** So many messages at most. */
  readonly max?: number
  /** Selector (docs/selectors.md): only messages that it matches. */
  readonly filter?: string
  /** Only counts what would be moved. */
  readonly dryRun?: boolean
  /** So many messages per second at most. */
  readonly ratePerSecond?: number
  /** The headers that tell of the death stay. */
  readonly keepHeaders?: boolean
  /** Asked for each origin, where there is no `to`: a message of one that is refused stays. By default all are allowed. */
  readonly mayGoTo?: (destination: string) => boolean
}

export type RedriveState = 'running' | 'done' | 'cancelled' | 'failed'

export interface RedriveInfo {
  readonly id: number
  readonly source: string
  readonly to?: string
  readonly dryRun: boolean
  readonly state: RedriveState
  /** Why it failed. */
  readonly error?: string
  /** Messages that were looked at. */
  readonly scanned: number
  /** Messages that were moved, or would be. */
  readonly moved: number
  /** Messages that were to be moved, and have no place to go. */
  readonly left: number
  readonly groups: readonly RedriveGroup[]
  readonly startedMs: number
  readonly endedMs?: number
}

/** Messages of a redrive by where they died and of what. */
export interface RedriveGroup {
  /** `queue:NAME`, `topic:NAME/SUBSCRIPTION`, or `unknown` for what is no dead letter. */
  readonly origin: string
  readonly reason: string
  readonly moved: number
  readonly left: number
}
