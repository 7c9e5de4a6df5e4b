import { destinationAddress } from '@millrace/wire'
import { MillraceError } from '../../../base/errors.ts'
import * as schemas from '../../../protocols/api/dead-letter-schemas.ts'
import type { JsonSchema, ObjectSchema } from '../../../protocols/api/json-schema.ts'
import { runOperation } from '../../../protocols/api/operations.ts'
import { json } from '../problem.ts'
import type { Call, Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { answer, described } from './operation-route.ts'

/** Purge and redrive queues, and look at single messages: the shared operations under REST paths. */
export function deadLetterRoutes(services: HttpServices): readonly Route[] {
  return [...queueRoutes(services), ...redriveRoutes(services), messageRoute(services, 'queue'), messageRoute(services, 'topic')]
}

function queueRoutes({ session, bodies }: HttpServices): Route[] {
  return [
    {
      ...described('queue.purge', 'queue'),
      method: 'post',
      path: '/v1/queues/{name}/purge',
      answers: { 200: answer('What waited is gone; what consumers hold stays.', schemas.purgeResult) },
      errors: ['not_found'],
      handle: async ({ params, principal }) =>
        json(200, await runOperation(session, principal, 'queue.purge', { name: params['name'] })),
    },
    {
      ...described('queue.redrive', 'queue'),
      method: 'post',
      path: '/v1/queues/{name}/redrive',
      description:
        'Each message is moved in one commit: it is never lost and never in both places. The answer comes at the end, or when waitMs is over; ' +
        'then its state is `running`, and GET /v1/redrives/{id} tells how it goes on.',
      body: {
        description: 'What to move where; by default everything, back to where it died.',
        required: false,
        content: { 'application/json': withoutName(schemas.redriveParams) },
      },
      answers: {
        200: answer('It has ended, and what it did is durable.', schemas.redriveInfo),
        202: answer('It goes on.', schemas.redriveInfo),
      },
      errors: ['not_found', 'bad_selector', 'offset_out_of_range', 'limit_reached'],
      async handle({ context, params, principal }) {
        const spec = (await bodies.readJson(context.env.incoming)) ?? {}
        if (typeof spec !== 'object' || Array.isArray(spec))
          throw new MillraceError('bad_request', 'The body must be a JSON object that says what to move where.')
        const info = await runOperation(session, principal, 'queue.redrive', { ...spec, name: params['name'] })
        return json((info as { readonly state: string }).state === 'running' ? 202 : 200, info)
      },
    },
  ]
}

function redriveRoutes({ session }: HttpServices): Route[] {
  const { waitMs } = schemas.redriveNamed.properties
  return [
    {
      ...described('redrive.list', 'redrive'),
      method: 'get',
      path: '/v1/redrives',
      answers: { 200: answer('Those of this run of the broker.', schemas.redriveList) },
      errors: [],
      handle: async ({ principal }) => json(200, await runOperation(session, principal, 'redrive.list', {})),
    },
    {
      ...described('redrive.get', 'redrive'),
      method: 'get',
      path: '/v1/redrives/{id}',
      query: { type: 'object', properties: { waitMs: waitMs! }, additionalProperties: false },
      answers: { 200: answer('Its state.', schemas.redriveInfo) },
      errors: ['not_found'],
      handle: async (call) =>
        json(200, await runOperation(session, call.principal, 'redrive.get', { ...call.query, id: id(call) })),
    },
    {
      ...described('redrive.cancel', 'redrive'),
      method: 'delete',
      path: '/v1/redrives/{id}',
      answers: { 200: answer('Its last state.', schemas.redriveInfo) },
      errors: ['not_found'],
      handle: async (call) => json(200, await runOperation(session, call.principal, 'redrive.cancel', { id: id(call) })),
    },
  ]
}

function messageRoute({ session }: HttpServices, kind: 'queue' | 'topic'): Route {
  const { partition } = schemas.messageParams.properties
  return {
    ...described('message.get', kind),
    id: `${kind}.message`,
    method: 'get',
    path: `/v1/${kind}s/{name}/messages/{offset}`,
    query: { type: 'object', properties: { partition: partition! }, additionalProperties: false },
    answers: { 200: answer('The message; a dead letter with the story of its death.', schemas.message) },
    errors: ['not_found', 'offset_out_of_range'],
    async handle({ params, query, principal }) {
      const where = { source: destinationAddress(kind, params['name']!), offset: Number(params['offset']), ...query }
      return json(200, await runOperation(session, principal, 'message.get', where))
    },
  }
}

function id({ params }: Call): number {
  return Number(params['id'])
}

/** The path says it already. */
function withoutName(schema: ObjectSchema): ObjectSchema {
  const properties: Record<string, JsonSchema> = { ...schema.properties }
  delete properties['name']
  return { type: 'object', properties, additionalProperties: false }
}
