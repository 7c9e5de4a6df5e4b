/** What one run of `millrace bench` does. */
export interface BenchSettings {
  readonly mode: BenchMode
  /** `queue:NAME`, `topic:NAME` or, to consume, `topic:NAME/SUBSCRIPTION`. */
  readonly address: string
  /** Above 1: so many destinations, ADDRESS-0 and up, in turn. */
  readonly destinations: number
  readonly sizeBytes: number
  /** Messages per batch, each batch to one destination; undefined: the client gathers up to 64 KiB. */
  readonly batchMessages: number | undefined
  /** Messages that may be unconfirmed at once. */
  readonly window: number
  /** Stop after so many messages... */
  readonly count: number
  /** ...or after so long. */
  readonly durationMs: number
  /** The same load so long before, in the same process, which is not measured. */
  readonly warmupMs: number
  /** Messages per second to send; undefined: as fast as the window allows. */
  readonly rate: number | undefined
  readonly prefetch: number
  /** Different keys that messages have in turn; undefined: none has a key. */
  readonly keys: number | undefined
  /** Whether each message has an id of its own, for destinations with dedup. */
  readonly ids: boolean
}

export const benchModes = ['pub', 'sub', 'e2e'] as const
export type BenchMode = (typeof benchModes)[number]
