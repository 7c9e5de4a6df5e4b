/** Operations on transactions that stay open: what an operator sees, and may end. */
import { MillraceError } from '../../base/errors.ts'
import { define, type Operation } from './operation.ts'
import { page } from './page.ts'
import { listParams } from './schemas.ts'
import * as schemas from './transaction-schemas.ts'

export type TransactionOperation = 'transaction.list' | 'transaction.get' | 'transaction.abort'

export const transactionOperations: Readonly<Record<TransactionOperation, Operation>> = {
  'transaction.list': define({
    summary: 'List transactional producers with the state of their transactions',
    action: 'describe',
    params: listParams,
    result: schemas.transactionList,
    resource: () => 'broker',
    run: ({ broker }, params) => page(broker.producerTransactions.list(), ({ transactionalId }) => transactionalId, params),
  }),
  'transaction.get': define({
    summary: 'Describe a transactional producer and its transaction',
    action: 'describe',
    params: schemas.transactionNamed,
    result: schemas.transactionInfo,
    resource: ({ transactionalId }) => `transaction:${transactionalId}`,
    run({ broker }, { transactionalId }) {
      const description = broker.producerTransactions.describe(transactionalId)
      if (description !== undefined) return description
      throw new MillraceError(
        'not_found',
        `no producer is known by the transactional id ${JSON.stringify(transactionalId)}: it was not opened, or not used for too long`,
      )
    },
  }),
  'transaction.abort': define({
    summary: 'Abort the open transaction of a producer, which is told so',
    action: 'delete',
    params: schemas.transactionNamed,
    result: schemas.transactionAborted,
    resource: ({ transactionalId }) => `transaction:${transactionalId}`,
    async run({ broker }, { transactionalId }) {
      const aborted = broker.producerTransactions.abort(transactionalId)
      await broker.whenCommitted(broker.ticket())
      return { aborted }
    },
  }),
}
