import type { Handler, TransactionalHandler, TransactionOptions } from '../api.ts'
import type { HeldMessage } from '../received-message.ts'
import type { ClientTransaction, TransactionManner } from './client-transaction.ts'

/** What runs transactions: the client. */
export interface Transacting {
  transact<T>(
    collect: (transaction: ClientTransaction) => T | PromiseLike<T>,
    options: TransactionOptions & TransactionManner,
  ): Promise<T>
}

/** A handler whose publishes and whose message's ack are one transaction, unless it decided about the message itself. */
export function inTransaction(
  client: Transacting,
  handler: TransactionalHandler,
  { timeoutMs }: Pick<TransactionOptions, 'timeoutMs'>,
): Handler {
  // The handler has returned when the transaction fails: it could not let go of a message whose answer nobody takes.
  const options = { ...(timeoutMs === undefined ? {} : { timeoutMs }), dropsAnswers: true }
  return (message) =>
    client.transact(async (transaction) => {
      await handler(message, transaction)
      const isDecided = (message as HeldMessage).settled || transaction.settles(message)
      if (!isDecided) transaction.ack(message)
    }, options)
}
