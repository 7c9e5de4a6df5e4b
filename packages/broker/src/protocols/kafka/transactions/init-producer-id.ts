import { MillraceError } from '../../../base/errors.ts'
import type { ProducerIdentity } from '../../../core/broker.ts'
import { permit, permitIdempotence } from '../access.ts'
import { errors, errorCodeOf, KafkaError } from '../errors.ts'
import { initProducerId } from '../messages/transactions.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { coordinatorCodes, transactionErrorCode } from './transaction-errors.ts'

const NOBODY = -1
/** What @platformatic/kafka says when it is nobody yet. No producer is ever given this id. */
const NEVER_GIVEN = 0
const KNOWS_FENCED = 4

/** A producer without transactions gets a new id each time, also when it asks for the next epoch of one it has. */
export const initProducerIdApi: ServedApi = serve(initProducerId, (request, version, client) => {
  const { transactionalId } = request
  try {
    if (transactionalId === null) permitIdempotence(client)
    const { producerId, epoch } =
      transactionalId === null
        ? client.broker.openProducer()
        : open(client, transactionalId, request.transactionTimeoutMs, currentOf(request))
    const ticket = transactionalId === null ? 0 : client.broker.ticket()
    return new Durable(ticket, { errorCode: errors.NONE, producerId, producerEpoch: epoch })
  } catch (error) {
    const errorCode =
      transactionalId === null ? errorCodeOf(error) : transactionErrorCode(error, coordinatorCodes(version >= KNOWS_FENCED))
    return { errorCode, producerId: NOBODY, producerEpoch: NOBODY }
  }
})

function open(
  client: Client,
  transactionalId: string,
  timeoutMs: number,
  current: ProducerIdentity | undefined,
): ProducerIdentity {
  permit(client, 'publish', `transaction:${transactionalId}`)
  const { producerTransactions } = client.broker
  const { timeoutMsMax } = producerTransactions.limits
  if (transactionalId !== '' && (timeoutMs <= 0 || timeoutMs > timeoutMsMax)) {
    throw new KafkaError(errors.INVALID_TRANSACTION_TIMEOUT, `transactions may take 1 to ${timeoutMsMax} ms, not ${timeoutMs}`)
  }
  return producerTransactions.open(transactionalId, timeoutMs, current)
}

/** Who goes on after an error says who it was. */
function currentOf({ producerId, producerEpoch }: { producerId: number; producerEpoch: number }): ProducerIdentity | undefined {
  if ((producerId === NOBODY && producerEpoch === NOBODY) || producerId === NEVER_GIVEN) return undefined
  if (producerId === NOBODY || producerEpoch === NOBODY) {
    throw new MillraceError('bad_request', 'a producer that goes on names its id and its epoch')
  }
  return { producerId, epoch: producerEpoch }
}
