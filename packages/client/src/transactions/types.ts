import type { Body, Message, PublishOptions, Receipt } from '../api.ts'
import type { tombstone } from './tombstone.ts'

/**
 * What a transaction does: collected first, done as one at the end. Nothing happens before that, so nothing has to be undone when it
 * is given up.
 */
export interface Transaction {
  /**
   * Publishes with the others.
   * @param body `tombstone` publishes a message without one, which takes its key out of a compacted topic
   * @throws MillraceError `record_too_large`, `bad_request` when the transaction is over
   */
  publish(
    destination: string,
    body: Body | typeof tombstone,
    options?: TransactionPublishOptions & PartitionOptions,
  ): TransactionMessage
  /** Publishes one message to all of `destinations`, stored once. One named twice gets it once. */
  multicast(destinations: readonly string[], body: Body, options?: TransactionPublishOptions): TransactionMessage
  /**
   * Answers a message with the others: see `Message.reply`. When whoever asked is gone, the transaction fails with `not_found`; that of a
   * handler (`transactional`), which could do nothing about it, goes on without the answer, whose `receipts` are then empty.
   */
  reply(message: Message, body: Body, options?: Omit<TransactionPublishOptions, 'create'>): TransactionMessage
  /** Settles a message with the others. It stays leased until then. @throws MillraceError `stale_delivery` */
  ack(message: Message): void
  nack(message: Message, options?: { readonly delayMs?: number; readonly error?: string }): void
  /** As `Message.defer`. */
  defer(message: Message, options?: { readonly delayMs?: number }): void
  reject(message: Message, reason?: string): void
  /** Takes back a scheduled message with the others. One that does not wait any more fails the transaction with `stale_delivery`. */
  cancelScheduled(id: number): void
  /** Aborted when the transaction is given up: by its timeout or by the signal of its options. */
  readonly signal: AbortSignal
}

/** A message that a transaction publishes. */
export interface TransactionMessage {
  /** Where it is, for each of its destinations; undefined until the transaction is committed. */
  readonly receipts: readonly Receipt[] | undefined
}

/** A message of a transaction is published when that is committed: it cannot be for later. */
export interface TransactionPublishOptions extends Omit<PublishOptions, 'signal' | 'delayMs' | 'deliverAt'> {
  /** Default true: a queue or topic that does not exist is created. False: the transaction fails with `not_found`. */
  readonly create?: boolean
}

export interface PartitionOptions {
  /** Of a topic: where it goes, whatever its key says. Default: the key decides. */
  readonly partition?: number
}

export interface TransactionOptions {
  /** From the beginning until the broker has answered. Default 60,000. */
  readonly timeoutMs?: number
  /** Gives the transaction up, unless it is on its way already. */
  readonly signal?: AbortSignal
}
