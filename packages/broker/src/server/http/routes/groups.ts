import { MillraceError } from '../../../base/errors.ts'
import * as schemas from '../../../protocols/api/group-schemas.ts'
import { runOperation } from '../../../protocols/api/operations.ts'
import { listParams } from '../../../protocols/api/schemas.ts'
import { json } from '../problem.ts'
import type { Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { answer, described } from './operation-route.ts'

/** Consumer groups: the shared operations under REST paths. */
export function groupRoutes({ session, bodies }: HttpServices): readonly Route[] {
  const path = '/v1/groups/{name}'
  const { topic, partitions, to } = schemas.groupResetParams.properties
  return [
    {
      ...described('group.list', 'group'),
      method: 'get',
      path: '/v1/groups',
      query: listParams,
      answers: { 200: answer('A page of them, sorted by name.', schemas.groupList) },
      errors: [],
      handle: async ({ query, principal }) => json(200, await runOperation(session, principal, 'group.list', query)),
    },
    {
      ...described('group.get', 'group'),
      method: 'get',
      path,
      answers: { 200: answer('Its members and offsets.', schemas.groupInfo) },
      errors: ['not_found'],
      handle: async ({ params, principal }) =>
        json(200, await runOperation(session, principal, 'group.get', { name: params['name'] })),
    },
    {
      ...described('group.delete', 'group'),
      method: 'delete',
      path,
      answers: { 204: { description: 'Deleted.' } },
      errors: ['not_found', 'in_use'],
      async handle({ params, principal }) {
        await runOperation(session, principal, 'group.delete', { name: params['name'] })
        return new Response(null, { status: 204 })
      },
    },
    {
      ...described('group.reset', 'group'),
      method: 'post',
      path: `${path}/reset`,
      description:
        'Makes the group when there is none. An offset outside of what the topic holds becomes the nearest one that is not.',
      body: {
        description: 'Where it shall be, in which topic.',
        required: true,
        content: {
          'application/json': {
            type: 'object',
            properties: { topic, partitions, to },
            required: ['topic', 'to'],
            additionalProperties: false,
          },
        },
      },
      answers: { 200: answer('Where it is in that topic now.', schemas.groupPartitions) },
      errors: ['not_found', 'in_use'],
      async handle({ context, params, principal }) {
        const reset = await bodies.readJson(context.env.incoming)
        if (typeof reset !== 'object' || reset === null || Array.isArray(reset))
          throw new MillraceError('bad_request', 'The body must be a JSON object: {"topic":"orders","to":"earliest"}.')
        return json(200, await runOperation(session, principal, 'group.reset', { ...reset, name: params['name'] }))
      },
    },
  ]
}
