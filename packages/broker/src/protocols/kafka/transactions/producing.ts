import { MillraceError } from '../../../base/errors.ts'
import type { Destination } from '../../../core/broker.ts'
import { permit } from '../access.ts'
import { errors, KafkaError } from '../errors.ts'
import type { Client } from '../served-api.ts'
import { addingCodes, transactionErrorCode } from './transaction-errors.ts'

const KNOWS_ABORTABLE = 11
/** AddPartitionsToTxn is not sent before. */
const BEGINS = 12

/** Of a batch whose place is not known before the commit. */
export const UNKNOWN_OFFSET = -1

/**
 * Adds a batch to a transaction, at most once.
 * @param transactionalId of the request
 * @param version of the request
 * @throws KafkaError, and MillraceError for what is wrong with the batch or its destination
 */
export function publishInTransaction(
  client: Client,
  transactionalId: string | null,
  version: number,
  to: Destination,
  partition: number,
  batch: Uint8Array,
): void {
  const begins = version >= BEGINS
  try {
    if (transactionalId === null) {
      const message = 'the batch belongs to a transaction, and nobody says to which'
      throw new KafkaError(errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, message)
    }
    permit(client, 'publish', `transaction:${transactionalId}`)
    client.broker.producerTransactions.publish(transactionalId, to, partition, batch, begins ? 'begin' : 'enlisted')
  } catch (error) {
    if (!(error instanceof MillraceError) || !isAboutTransaction(error)) throw error
    const codes = addingCodes(begins, version >= KNOWS_ABORTABLE, errors.NOT_ENOUGH_REPLICAS)
    throw new KafkaError(transactionErrorCode(error, codes), error.message)
  }
}

function isAboutTransaction({ code }: MillraceError): boolean {
  // Clients look for the leader again.
  return code !== 'draining' && code !== 'closed'
}
