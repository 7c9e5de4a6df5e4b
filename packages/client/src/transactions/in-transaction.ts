import type { Handler, Millrace, TransactionalHandler, TransactionOptions } from '../api.ts'
import type { HeldMessage } from '../received-message.ts'
import type { ClientTransaction } from './client-transaction.ts'

/** A handler whose publishes and whose message's ack are one transaction, unless it decided about the message itself. */
export function inTransaction(
  client: Pick<Millrace, 'transaction'>,
  handler: TransactionalHandler,
  { timeoutMs }: Pick<TransactionOptions, 'timeoutMs'>,
): Handler {
  const options = timeoutMs === undefined ? {} : { timeoutMs }
  return (message) =>
    client.transaction(async (transaction) => {
      await handler(message, transaction)
      const isDecided = (message as HeldMessage).settled || (transaction as ClientTransaction).settles(message)
      if (!isDecided) transaction.ack(message)
    }, options)
}
