import { permitIdempotence } from '../access.ts'
import { errors, errorCodeOf, KafkaError } from '../errors.ts'
import { initProducerId } from '../messages/transactions.ts'
import { Durable, serve, type ServedApi } from '../served-api.ts'

/** A producer without transactions gets a new id each time, also when it asks for the next epoch of one it has. */
export const initProducerIdApi: ServedApi = serve(initProducerId, ({ transactionalId }, _, client) => {
  try {
    if (transactionalId !== null) throw new KafkaError(errors.INVALID_REQUEST, 'transactions are not served')
    permitIdempotence(client)
    const { producerId, epoch } = client.broker.openProducer()
    return new Durable(0, { errorCode: errors.NONE, producerId, producerEpoch: epoch })
  } catch (error) {
    return { errorCode: errorCodeOf(error), producerId: -1, producerEpoch: -1 }
  }
})
