/** What a client is told when something is wrong with its transaction: that depends on the version of its request. */
import { type ErrorCode, MillraceError } from '../../../base/errors.ts'
import type { TransactionalProducer } from '../../../core/producer-transactions/producer-transactions.ts'
import { errorCodeOf, errors } from '../errors.ts'
import type { Client } from '../served-api.ts'

/** Codes of a request in one of its versions, where they differ. */
export interface TransactionCodes {
  /** Somebody else has the transactional id by now. */
  readonly fenced: number
  /** The transaction was aborted by its timeout or by an operator. */
  readonly timedOut: number
  /** There is no transaction, or not one that this belongs to. */
  readonly notOpen: number
  /** The last transaction is still being published: the client tries again. */
  readonly busy: number
}

/** Of requests that only change the transaction. */
export function coordinatorCodes(knowsFenced: boolean): TransactionCodes {
  const fenced = knowsFenced ? errors.PRODUCER_FENCED : errors.INVALID_PRODUCER_EPOCH
  return { fenced, timedOut: fenced, notOpen: errors.INVALID_TXN_STATE, busy: errors.CONCURRENT_TRANSACTIONS }
}

/**
 * Of requests that add something to it.
 * @param begins they begin a transaction themselves, and it ends with an epoch of its own: then whoever was too slow can abort, and go on
 * @param knowsAbortable from a version earlier on
 * @param later for who knows no code of its own for that
 */
export function addingCodes(begins: boolean, knowsAbortable: boolean, later: number): TransactionCodes {
  return {
    fenced: errors.INVALID_PRODUCER_EPOCH,
    timedOut: begins ? errors.TRANSACTION_ABORTABLE : errors.INVALID_PRODUCER_EPOCH,
    notOpen: knowsAbortable ? errors.TRANSACTION_ABORTABLE : errors.INVALID_TXN_STATE,
    busy: begins ? errors.CONCURRENT_TRANSACTIONS : later,
  }
}

/** @throws what is no expected failure */
export function transactionErrorCode(error: unknown, codes: TransactionCodes): number {
  if (!(error instanceof MillraceError)) return errorCodeOf(error)
  return ofTransactions(codes)[error.code] ?? errorCodeOf(error)
}

function ofTransactions({ fenced, timedOut, notOpen, busy }: TransactionCodes): Partial<Record<ErrorCode, number>> {
  return {
    fenced,
    transaction_timeout: timedOut,
    bad_transaction_state: notOpen,
    transaction_busy: busy,
    // Nobody opened the transactional id, or too long ago.
    not_found: errors.INVALID_PRODUCER_ID_MAPPING,
    // Clients look for the coordinator again.
    draining: errors.COORDINATOR_NOT_AVAILABLE,
    closed: errors.COORDINATOR_NOT_AVAILABLE,
  }
}

/** The same for who names itself in the request: an id that was replaced is another thing than an epoch that was. */
export function producerErrorCode(client: Client, by: TransactionalProducer, error: unknown, codes: TransactionCodes): number {
  const isFenced = error instanceof MillraceError && error.code === 'fenced'
  const known = isFenced ? client.broker.producerTransactions.describe(by.transactionalId) : undefined
  if (known !== undefined && known.producerId !== by.producerId) return errors.INVALID_PRODUCER_ID_MAPPING
  return transactionErrorCode(error, codes)
}
