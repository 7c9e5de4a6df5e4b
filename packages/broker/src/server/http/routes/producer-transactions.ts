import { runOperation } from '../../../protocols/api/operations.ts'
import { listParams } from '../../../protocols/api/schemas.ts'
import * as schemas from '../../../protocols/api/transaction-schemas.ts'
import { json } from '../problem.ts'
import type { Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { answer, described } from './operation-route.ts'

/** Transactional producers: the shared operations under REST paths. */
export function producerTransactionRoutes({ session }: HttpServices): readonly Route[] {
  const path = '/v1/transactions/{transactionalId}'
  return [
    {
      ...described('transaction.list', 'transaction'),
      method: 'get',
      path: '/v1/transactions',
      query: listParams,
      answers: { 200: answer('A page of them, sorted by transactional id.', schemas.transactionList) },
      errors: [],
      handle: async ({ query, principal }) => json(200, await runOperation(session, principal, 'transaction.list', query)),
    },
    {
      ...described('transaction.get', 'transaction'),
      method: 'get',
      path,
      answers: { 200: answer('What it has done so far.', schemas.transactionInfo) },
      errors: ['not_found'],
      handle: async ({ params, principal }) => json(200, await runOperation(session, principal, 'transaction.get', params)),
    },
    {
      ...described('transaction.abort', 'transaction'),
      method: 'post',
      path: `${path}/abort`,
      description: 'Its producer is told `transaction_timeout`, and may begin another one.',
      answers: { 200: answer('Nothing of it is there any more.', schemas.transactionAborted) },
      errors: ['not_found', 'transaction_busy'],
      handle: async ({ params, principal }) => json(200, await runOperation(session, principal, 'transaction.abort', params)),
    },
  ]
}
