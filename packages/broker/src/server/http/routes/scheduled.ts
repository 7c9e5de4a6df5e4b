import { operations, runOperation } from '../../../protocols/api/operations.ts'
import { json } from '../problem.ts'
import type { Route } from '../route.ts'
import type { HttpServices } from '../services.ts'

/** Takes scheduled messages back. */
export function scheduledRoutes({ session }: HttpServices): readonly Route[] {
  const operation = operations['scheduled.cancel']
  return [
    {
      id: 'scheduled.cancel',
      tag: 'scheduled',
      summary: operation.summary,
      method: 'delete',
      path: '/v1/scheduled/{id}',
      description: 'The id is `scheduled` of the receipt that the message was published with.',
      answers: { 200: { description: 'Durable.', content: { 'application/json': operation.result } } },
      errors: ['outcome_unknown'],
      handle: async ({ params, principal }) =>
        json(200, await runOperation(session, principal, 'scheduled.cancel', { id: Number(params['id']) })),
    },
  ]
}
