/** A broker under test. Scenarios know nothing else about it, so that others can be measured by the same ones. */
export interface System {
  readonly name: string
  start(): Promise<RunningSystem>
}

export interface RunningSystem {
  /** From the spawn until it accepts connections. */
  readonly readyMs: number
  /** Runs a load from another process and returns its figures. */
  load(load: Load): Promise<LoadResult>
  /** Publishes messages of 100 bytes for later, consumes them, and tells how late they left. */
  dueTogether(load: DueTogether): Promise<DueResult>
  rssBytes(): number
  /** Commits to disk so far. */
  commits(): Promise<number>
  stop(): Promise<void>
}

export interface DueTogether {
  readonly messages: number
  /** They are due within so long, evenly. */
  readonly withinMs: number
  /** From when they are published to when the first is due. */
  readonly aheadMs: number
}

export interface DueResult {
  /** From when the last one was due to when the last one was with its consumer. */
  readonly lastLateMs: number
  /** The earliest, against its own due time: below 0 is too early. */
  readonly earliestMs: number
}

export interface Load {
  readonly mode: 'pub' | 'e2e'
  readonly sizeBytes: number
  readonly seconds: number
  /** The same load before, unmeasured: code is compiled while it runs. Default 1. */
  readonly warmupSeconds?: number
  /** Stop after so many messages, if that is sooner. */
  readonly messages?: number
  readonly batchMessages?: number
  readonly window?: number
  readonly destinations?: number
  /** To this queue, which stays; by default to one that is deleted afterwards. */
  readonly queue?: string
  /** The queue has a retry policy, order by key and a dedup window; messages have one of 10,000 keys, and an id each. */
  readonly policies?: boolean
  /** Messages per second; as fast as it goes by default. */
  readonly rate?: number
}

export interface LoadResult {
  readonly messages: number
  readonly messagesPerSecond: number
  readonly bytesPerSecond: number
  readonly latencyMs: {
    readonly p50: number
    readonly p90: number
    readonly p99: number
    readonly p999: number
    readonly max: number
  }
}
