/** Transactions that stay open over many requests, as the broker shows them: Kafka's clients make them. */

/** One transactional producer in a list. */
export interface ProducerTransactionSummary {
  /** What the producer calls itself, over restarts. */
  readonly transactionalId: string
  readonly producerId: number
  /** Those with a lower one were replaced. */
  readonly epoch: number
  /** Of its last transaction. `committing`: decided, and still being published. */
  readonly state: 'empty' | 'open' | 'committing' | 'committed' | 'aborted'
  /** A transaction that is open for longer is aborted. */
  readonly timeoutMs: number
  /** Milliseconds since 1970; while it is open or being published. */
  readonly startedMs?: number
}

export interface ProducerTransactionInfo extends ProducerTransactionSummary {
  /** Where it publishes to. */
  readonly partitions: readonly { readonly kind: 'topic' | 'queue'; readonly name: string; readonly partition: number }[]
  /** Consumer groups whose offsets it commits. */
  readonly groups: readonly string[]
  /** What waits to be published. */
  readonly bytes: number
}
