import type { ErrorCode } from '../../../base/errors.ts'
import type { ObjectSchema } from '../../../protocols/api/json-schema.ts'
import { operations, runOperation } from '../../../protocols/api/operations.ts'
import { listParams } from '../../../protocols/api/schemas.ts'
import type { UserOperation } from '../../../protocols/api/user-operations.ts'
import * as schemas from '../../../protocols/api/user-schemas.ts'
import { json } from '../problem.ts'
import type { Call, Route } from '../route.ts'
import type { HttpServices } from '../services.ts'

/** Users, for those who administer the broker. */
export function userRoutes(services: HttpServices): readonly Route[] {
  const route = routeOf(services)
  const settings = (schemas.userUpdateParams.properties as Readonly<Record<string, ObjectSchema>>)['change']!
  const label: ObjectSchema = { type: 'object', properties: { label: { type: 'string' } }, additionalProperties: false }
  return [
    route('user.list', 'get', '/v1/users', { query: listParams, params: ({ query }) => query }),
    route('user.get', 'get', '/v1/users/{name}', { errors: ['not_found'] }),
    route('user.create', 'put', '/v1/users/{name}', {
      body: settings,
      params: ({ params }, body) => ({ ...body, name: params['name'] }),
      status: 201,
      errors: ['already_exists', 'limit_reached'],
    }),
    route('user.update', 'patch', '/v1/users/{name}', {
      body: settings,
      params: ({ params }, body) => ({ name: params['name'], change: body }),
      errors: ['not_found', 'in_use', 'limit_reached'],
    }),
    route('user.delete', 'delete', '/v1/users/{name}', { status: 204, errors: ['not_found', 'in_use'] }),
    route('user.token', 'post', '/v1/users/{name}/tokens', {
      body: label,
      params: ({ params }, body) => ({ ...body, name: params['name'] }),
      status: 201,
      errors: ['not_found', 'limit_reached'],
    }),
    route('user.revoke', 'delete', '/v1/users/{name}/tokens/{id}', {
      params: ({ params }) => ({ name: params['name'], id: params['id'] }),
      status: 204,
      errors: ['not_found', 'in_use'],
    }),
    route('user.permit', 'put', '/v1/users/{name}/permissions', permission(schemas.permitParams)),
    route('user.withdraw', 'delete', '/v1/users/{name}/permissions/{vhost}', {
      params: ({ params }) => ({ name: params['name'], vhost: params['vhost'] }),
      status: 204,
      errors: ['not_found'],
    }),
    route('user.permitTopic', 'put', '/v1/users/{name}/topic-permissions', permission(schemas.permitTopicParams)),
    route('user.withdrawTopic', 'delete', '/v1/users/{name}/topic-permissions/{vhost}', {
      query: { type: 'object', properties: { exchange: { type: 'string' } }, additionalProperties: false },
      params: ({ params, query }) => ({ ...query, name: params['name'], vhost: params['vhost'] }),
      status: 204,
      errors: ['not_found'],
    }),
  ]
}

interface Shape {
  readonly query?: ObjectSchema
  readonly body?: ObjectSchema
  /** Parameters of the operation; by default the name in the path. */
  readonly params?: (call: Call, body: object) => object
  readonly status?: 200 | 201 | 204
  readonly errors?: readonly ErrorCode[]
}

/** Of routes that set a permission. */
function permission(schema: ObjectSchema): Shape {
  return {
    body: schema.properties['permission'] as ObjectSchema,
    params: ({ params }, body) => ({ name: params['name'], permission: body }),
    status: 204,
    errors: ['not_found', 'limit_reached'],
  }
}

function routeOf({ session, bodies }: HttpServices) {
  return (id: UserOperation, method: Route['method'], path: string, shape: Shape): Route => {
    const { query, body, params = (call: Call) => ({ name: call.params['name'] }), status = 200, errors = [] } = shape
    return {
      id,
      tag: 'user',
      summary: operations[id].summary,
      method,
      path,
      ...(query === undefined ? {} : { query }),
      ...(body === undefined
        ? {}
        : { body: { description: 'The settings.', required: false, content: { 'application/json': body } } }),
      answers: {
        [status]: {
          description: 'Done, durably.',
          ...(status === 204 ? {} : { content: { 'application/json': operations[id].result } }),
        },
      },
      errors,
      async handle(call) {
        // Nobody who may not do it makes the broker read a body.
        session.authorize(call.principal, 'administer', 'broker')
        const given = body === undefined ? {} : ((await bodies.readJson(call.context.env.incoming)) ?? {})
        const result = await runOperation(session, call.principal, id, params(call, given))
        return status === 204 ? new Response(null, { status }) : json(status, result)
      },
    }
  }
}
