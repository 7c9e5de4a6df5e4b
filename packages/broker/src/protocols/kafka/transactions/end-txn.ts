import type { Encodable } from '../codec/notation.ts'
import { permit } from '../access.ts'
import { errors } from '../errors.ts'
import { endTxn } from '../messages/transactions.ts'
import { type Client, Durable, serve, type ServedApi, type Wait } from '../served-api.ts'
import { coordinatorCodes, producerErrorCode, type TransactionCodes } from './transaction-errors.ts'

type Answer = Encodable<typeof endTxn.response>

const KNOWS_FENCED = 2
/** From here on the end of a transaction gives its producer the next epoch. */
const BUMPS_EPOCH = 5

/**
 * A commit is answered once all of it is published: whoever commits finds what it wrote, and is not told to try again by its next
 * transaction.
 */
export const endTxnApi: ServedApi = serve(endTxn, (request, version, client) => {
  const { transactionalId, producerId, producerEpoch, committed } = request
  const by = { transactionalId, producerId, epoch: producerEpoch }
  const bumpsEpoch = version >= BUMPS_EPOCH
  const refused = (error: unknown): Answer => {
    return { errorCode: producerErrorCode(client, by, error, endCodes(version)), producerId: -1, producerEpoch: -1 }
  }
  try {
    permit(client, 'publish', `transaction:${transactionalId}`)
    const { identity, isPublished } = client.broker.producerTransactions.end(by, committed ? 'commit' : 'abort', bumpsEpoch)
    const answer = { errorCode: errors.NONE, producerId: identity.producerId, producerEpoch: identity.epoch }
    if (isPublished) return new Durable(client.broker.ticket(), answer)
    return whenPublished(client, transactionalId, client.broker.ticket(), answer).catch(refused)
  } catch (error) {
    return refused(error)
  }
})

/** Whoever was too slow can abort, and go on, where that gives the next epoch. */
function endCodes(version: number): TransactionCodes {
  const codes = coordinatorCodes(version >= KNOWS_FENCED)
  return version >= BUMPS_EPOCH ? { ...codes, timedOut: errors.TRANSACTION_ABORTABLE } : codes
}

/** @param decided the ticket of the decision, which is all that counts when the broker or the connection goes */
function whenPublished(
  { waits, broker }: Client,
  transactionalId: string,
  decided: number,
  answer: Answer,
): Promise<Durable<Answer>> {
  return new Promise((resolve, reject) => {
    const wait: Wait = { end: () => resolve(new Durable(decided, answer)) }
    waits.add(wait)
    void broker.producerTransactions
      .whenPublished(transactionalId)
      .then((ticket) => resolve(new Durable(ticket, answer)), reject)
      .finally(() => waits.delete(wait))
  })
}
