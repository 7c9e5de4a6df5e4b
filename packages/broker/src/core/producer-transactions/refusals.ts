/** What is wrong, and what to do about it. */
import { MillraceError } from '../../base/errors.ts'
import { positive } from '../settings.ts'
import { ADDED_OFFSETS_BYTES_MAX, TRANSACTIONAL_ID_BYTES_MAX } from './limits.ts'
import type { TransactionLimits, TransactionOutcome } from './producer-transactions.ts'
import type { TransactionCell } from './transaction-cell.ts'

const encoder = new TextEncoder()

/** @throws `bad_request`, `limit_reached` */
export function checkOpening(transactionalId: string, timeoutMs: number, { timeoutMsMax }: TransactionLimits): void {
  const bytes = encoder.encode(transactionalId).length
  if (bytes < 1 || bytes > TRANSACTIONAL_ID_BYTES_MAX) {
    throw new MillraceError('bad_request', `a transactional id has 1 to ${TRANSACTIONAL_ID_BYTES_MAX} bytes, not ${bytes}`)
  }
  if (positive('the timeout of transactions', timeoutMs, Number.MAX_SAFE_INTEGER) <= timeoutMsMax) return
  throw new MillraceError(
    'limit_reached',
    `transactions may take at most ${timeoutMsMax} ms, not ${timeoutMs}: ask for a shorter timeout, or raise the limit`,
  )
}

export function unknown(transactionalId: string): MillraceError {
  return new MillraceError(
    'not_found',
    `no producer is known by the transactional id ${JSON.stringify(transactionalId)}: it was not opened, or not used for too long; open it`,
  )
}

export function fenced(transactionalId: string): MillraceError {
  return new MillraceError(
    'fenced',
    `the producer ${JSON.stringify(transactionalId)} is in another epoch: somebody else opened it since, or this belongs to a transaction that is over. Stop this publisher`,
  )
}

export function tooLate(transactionalId: string): MillraceError {
  return new MillraceError(
    'transaction_timeout',
    `the transaction of producer ${JSON.stringify(transactionalId)} was aborted: it took too long, or an operator ended it. Open the producer again with its identity, and repeat the transaction`,
  )
}

export function busy(transactionalId: string): MillraceError {
  return new MillraceError(
    'transaction_busy',
    `the last transaction of producer ${JSON.stringify(transactionalId)} is committed and still being published: try again`,
  )
}

export function notEnlisted(transactionalId: string, what: string): MillraceError {
  return new MillraceError(
    'bad_transaction_state',
    `the producer ${JSON.stringify(transactionalId)} has no open transaction that takes ${what}: it is over, or this was not announced`,
  )
}

export function endedOtherwise(transactionalId: string, ended: string): MillraceError {
  return new MillraceError(
    'bad_transaction_state',
    `the transaction of producer ${JSON.stringify(transactionalId)} ended the other way (${ended}): that does not change any more`,
  )
}

export function nothingToEnd({ transactionalId, lastOutcome }: TransactionCell, outcome: TransactionOutcome): MillraceError {
  const last = lastOutcome === 'none' ? '' : `, the last one ended with ${lastOutcome}`
  return new MillraceError(
    'bad_transaction_state',
    `the producer ${JSON.stringify(transactionalId)} has no open transaction to ${outcome}${last}`,
  )
}

export function tooManyProducers({ producersMax }: TransactionLimits): MillraceError {
  return new MillraceError(
    'limit_reached',
    `${producersMax} transactional producers are known, and more are not allowed: use the same transactional ids again, or raise the limit`,
  )
}

export function tooManyPartitions(transactionalId: string, { partitionsMax }: TransactionLimits): MillraceError {
  return new MillraceError(
    'limit_reached',
    `the transaction of producer ${JSON.stringify(transactionalId)} would have more than ${partitionsMax} partitions: make it smaller`,
  )
}

export function tooManyOffsets(transactionalId: string): MillraceError {
  return new MillraceError(
    'limit_reached',
    `the transaction of producer ${JSON.stringify(transactionalId)} would have offsets of more than ${ADDED_OFFSETS_BYTES_MAX} bytes: make it smaller`,
  )
}

export function tooLarge(transactionalId: string, { bytesMax }: TransactionLimits): MillraceError {
  return new MillraceError(
    'limit_reached',
    `the transaction of producer ${JSON.stringify(transactionalId)} would have more than ${bytesMax} bytes: abort it and make it smaller`,
  )
}

/** Others end, so it may succeed later. */
export function tooMuchOpen({ openBytesMax }: TransactionLimits): MillraceError {
  return new MillraceError(
    'overloaded',
    `all open transactions together would have more than ${openBytesMax} bytes: try again later`,
  )
}
