import { MillraceError } from '../../../base/errors.ts'
import { operations, runOperation } from '../../../protocols/api/operations.ts'
import { quotaScope, quotaSpec } from '../../../protocols/api/quota-operations.ts'
import { listParams } from '../../../protocols/api/schemas.ts'
import { json } from '../problem.ts'
import type { Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { answer, described } from './operation-route.ts'

/** Quotas: the shared operations under REST paths. */
export function quotaRoutes({ session, bodies }: HttpServices): readonly Route[] {
  const path = '/v1/quotas'
  return [
    {
      ...described('quota.list', 'quota'),
      method: 'get',
      path,
      query: listParams,
      answers: { 200: answer('A page of them.', operations['quota.list'].result) },
      errors: [],
      handle: async ({ query, principal }) => json(200, await runOperation(session, principal, 'quota.list', query)),
    },
    {
      ...described('quota.set', 'quota'),
      method: 'put',
      path,
      body: { description: 'For whom, and how much.', required: true, content: { 'application/json': quotaSpec } },
      answers: { 200: answer('As it counts from now on.', quotaSpec) },
      errors: ['limit_reached'],
      async handle({ context, principal }) {
        session.authorize(principal, 'define', 'broker')
        const spec = await bodies.readJson(context.env.incoming)
        if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
          throw new MillraceError(
            'bad_request',
            'The body must be a JSON object: {"user":"ann","publishBytesPerSecond":1000000}.',
          )
        return json(200, await runOperation(session, principal, 'quota.set', spec))
      },
    },
    {
      ...described('quota.remove', 'quota'),
      method: 'delete',
      path,
      query: quotaScope,
      answers: { 204: { description: 'Taken away.' } },
      errors: ['not_found'],
      async handle({ query, principal }) {
        await runOperation(session, principal, 'quota.remove', query)
        return new Response(null, { status: 204 })
      },
    },
  ]
}
