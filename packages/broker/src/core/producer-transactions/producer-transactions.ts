/**
 * Transactions that stay open over many requests, each of a named producer, as doors see them. Part of the façade:
 * `Broker.producerTransactions`.
 */
import type { Ticket } from '../../storage/log-store.ts'
import type { Destination, ProducerIdentity } from '../broker.ts'
import type { GroupProblem, OffsetCommit, OffsetCommitter, OffsetProblem } from '../groups/consumer-groups.ts'

/**
 * Calls take effect in the open commit, and are durable with `Broker.ticket()` as it is after the call. An open transaction survives a
 * restart. Nobody sees anything of it before it is committed, and nothing ever of one that is aborted.
 *
 * All throw MillraceError `draining`; those that name a producer also `not_found` when nobody opened its transactional id, or the last use was
 * too long ago; `fenced` when somebody else opened it since; `transaction_timeout` when its transaction took too long, or an operator
 * aborted it: the producer goes on with `open(..., current)`.
 */
export interface ProducerTransactions {
  readonly limits: TransactionLimits

  /**
   * Gives a producer the next epoch, and aborts the transaction that is open under its transactional id.
   * @param timeoutMs of each of its transactions; longer ones are aborted
   * @param current of somebody who goes on after an error. Without it, whoever used the transactional id before is fenced
   * @throws `fenced` when `current` is neither the latest identity nor, for a repeated call, the one before; `transaction_busy`; `bad_request`;
   * `limit_reached`
   */
  open(transactionalId: string, timeoutMs: number, current?: ProducerIdentity): ProducerIdentity

  /**
   * Begins a transaction if none is open, and names partitions that it may publish to.
   * @throws `transaction_busy`, `bad_request`, `limit_reached`
   */
  enlist(by: TransactionalProducer, partitions: readonly TransactionPartition[]): void

  /**
   * Adds a record batch, which carries the producer's id, epoch and sequence. It is checked as `Destination.publish` does, stored, and published when the
   * transaction is committed; its offset is not known before. A limit of a queue is asked now, not then.
   * @param partition 0..partitions-1
   * @param mode `begin`: begins a transaction if none is open, and names the partition. `enlisted`: both was done by `enlist`
   * @returns false when it is stored already
   * @throws what `Destination.publish` throws; `bad_transaction_state` when that was not done; `transaction_busy`; `limit_reached`
   */
  publish(transactionalId: string, to: Destination, partition: number, batch: Uint8Array, mode: EnlistMode): boolean

  /**
   * Adds offsets of a group, which are committed with the transaction. Until then they are pending.
   * @param committer as for `ConsumerGroups.commitOffsets`
   * @returns what is wrong with the group or member; else for each offset what is wrong with it. The others are added
   * @throws `bad_transaction_state`, `transaction_busy`, `limit_reached`
   */
  addOffsets(
    by: TransactionalProducer,
    group: string,
    offsets: readonly OffsetCommit[],
    committer: OffsetCommitter | undefined,
    mode: EnlistMode,
  ): GroupProblem | readonly (OffsetProblem | undefined)[]

  /**
   * Commits or aborts. A repeated call, with the identity of the first, answers as the first did. Once the ticket is durable the outcome does not change;
   * what does not fit into one commit of the broker is published from then on.
   * @param bumpEpoch gives the producer the next epoch, so that late requests of this transaction are refused
   * @throws `bad_transaction_state` when there is nothing to commit, or it ended the other way; `transaction_busy`
   */
  end(by: TransactionalProducer, outcome: TransactionOutcome, bumpEpoch: boolean): EndedTransaction

  /**
   * Resolves once all that was committed by it is written, with the ticket of a commit that is not before it. Rejects when the broker stops
   * first (`draining`, `closed`), and with `data_corrupt` when a part cannot be read.
   */
  whenPublished(transactionalId: string): Promise<Ticket>

  list(): readonly TransactionSummary[]
  /** Undefined when nobody opened it, or too long ago. */
  describe(transactionalId: string): TransactionDescription | undefined
  figures(): TransactionFigures
  /** By an operator. @returns whether there was an open one. @throws `not_found`, `transaction_busy` when it is being committed */
  abort(transactionalId: string): boolean
}

export type TransactionOutcome = 'commit' | 'abort'
export type EnlistMode = 'begin' | 'enlisted'

export interface TransactionalProducer extends ProducerIdentity {
  readonly transactionalId: string
}

export interface TransactionPartition {
  readonly to: Destination
  readonly partition: number
}

export interface EndedTransaction {
  /** Of the producer from now on. */
  readonly identity: ProducerIdentity
  /** All of it is in the open commit. Otherwise the producer is busy until it is: see `whenPublished`. */
  readonly isPublished: boolean
}

export type TransactionState =
  /** Opened, and not used yet. */
  | 'empty'
  | 'open'
  /** Decided, and being published. */
  | 'committing'
  | 'committed'
  | 'aborted'

export interface TransactionSummary extends TransactionalProducer {
  readonly state: TransactionState
  readonly timeoutMs: number
  /** Milliseconds since 1970; of one that is open or being committed. */
  readonly startedMs?: number
}

export interface TransactionDescription extends TransactionSummary {
  readonly partitions: readonly { readonly kind: 'topic' | 'queue'; readonly name: string; readonly partition: number }[]
  /** Whose offsets it will commit. */
  readonly groups: readonly string[]
  /** What waits to be published. */
  readonly bytes: number
}

export interface TransactionFigures {
  /** Producers that are remembered. */
  readonly producers: number
  readonly open: number
  /** Decided, and being published. */
  readonly committing: number
  /** What waits for the end of transactions, or to be published. */
  readonly bytes: number
  /** When the one that is open for longest began, in milliseconds since 1970. */
  readonly oldestStartedMs: number | undefined
  /** Since the broker started; those that took too long, or that an operator ended, are `aborted` too. */
  readonly committed: number
  readonly aborted: number
}

export interface TransactionLimits {
  /** The longest that a producer may ask for. */
  readonly timeoutMsMax: number
  /** Producers that are remembered. */
  readonly producersMax: number
  /** Partitions of one transaction. */
  readonly partitionsMax: number
  /** Stored for one transaction, and for all that are open. */
  readonly bytesMax: number
  readonly openBytesMax: number
  /** A producer that was not used for so long is forgotten. */
  readonly unusedMs: number
}
