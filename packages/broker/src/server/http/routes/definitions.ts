import { MillraceError, orUndefined } from '../../../base/errors.ts'
import type { ObjectSchema } from '../../../protocols/api/json-schema.ts'
import { type OperationName, operations, runOperation } from '../../../protocols/api/operations.ts'
import * as definitions from '../../../protocols/api/definition-schemas.ts'
import * as schemas from '../../../protocols/api/schemas.ts'
import { json } from '../problem.ts'
import type { Call, Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { answer, described } from './operation-route.ts'

/** Create, read, change, delete and list topics, queues and subscriptions: the shared operations under REST paths. */
export function definitionRoutes(services: HttpServices): readonly Route[] {
  return [
    ...objectRoutes(services, 'topic', 'topics'),
    ...objectRoutes(services, 'queue', 'queues'),
    ...subscriptionRoutes(services),
  ]
}

function objectRoutes(services: HttpServices, kind: 'topic' | 'queue', collection: string): Route[] {
  const { session } = services
  const path = `/v1/${collection}/{name}`
  const spec = kind === 'topic' ? definitions.topicSpec : definitions.queueSpec
  const info = kind === 'topic' ? definitions.topicInfo : definitions.queueInfo
  const run = (name: OperationName, call: Call, params: unknown): Promise<unknown> =>
    runOperation(session, call.principal, name, params)
  const exists = (name: string): boolean =>
    orUndefined(() => (kind === 'topic' ? session.broker.topic(name) : session.broker.queue(name))) !== undefined
  return [
    listRoute(services, kind, `/v1/${collection}`, schemas.listParams),
    {
      ...described(`${kind}.create`, kind),
      method: 'put',
      path,
      body: settingsBody(spec, ['name']),
      answers: { 200: answer('It existed with these settings.', info), 201: answer('Created.', info) },
      errors: ['illegal_name', 'already_exists', 'limit_reached'],
      async handle(call) {
        const settings = await readSettings(services, call)
        const status = exists(call.params['name']!) ? 200 : 201
        return json(status, await run(`${kind}.create`, call, { ...settings, name: call.params['name'] }))
      },
    },
    {
      ...described(`${kind}.get`, kind),
      method: 'get',
      path,
      answers: { 200: answer('Its settings and state.', info) },
      errors: ['not_found'],
      handle: async (call) => json(200, await run(`${kind}.get`, call, { name: call.params['name'] })),
    },
    {
      ...described(`${kind}.update`, kind),
      method: 'patch',
      path,
      body: settingsBody(spec, ['name']),
      answers: { 200: answer('Its settings from now on.', info) },
      errors: ['not_found'],
      async handle(call) {
        const change = await readSettings(services, call)
        return json(200, await run(`${kind}.update`, call, { name: call.params['name'], change }))
      },
    },
    {
      ...described(`${kind}.delete`, kind),
      method: 'delete',
      path,
      answers: { 204: { description: 'Deleted.' } },
      errors: ['not_found'],
      async handle(call) {
        await run(`${kind}.delete`, call, { name: call.params['name'] })
        return new Response(null, { status: 204 })
      },
    },
  ]
}

function subscriptionRoutes(services: HttpServices): Route[] {
  const { session } = services
  const path = '/v1/topics/{topic}/subscriptions/{name}'
  const run = (name: OperationName, call: Call, params: object): Promise<unknown> =>
    runOperation(session, call.principal, name, params)
  return [
    listRoute(services, 'subscription', '/v1/subscriptions', schemas.subscriptionListParams),
    listRoute(services, 'subscription', '/v1/topics/{topic}/subscriptions', schemas.listParams),
    {
      ...described('subscription.create', 'subscription'),
      method: 'put',
      path,
      body: settingsBody(definitions.subscriptionSpec, ['topic', 'name']),
      answers: {
        200: answer('It existed with these settings.', definitions.subscriptionInfo),
        201: answer('Created.', definitions.subscriptionInfo),
      },
      errors: ['illegal_name', 'not_found', 'already_exists', 'limit_reached'],
      async handle(call) {
        const settings = await readSettings(services, call)
        const { topic, name } = names(call)
        const status = orUndefined(() => session.broker.subscription(topic, name)) === undefined ? 201 : 200
        return json(status, await run('subscription.create', call, { ...settings, topic, name }))
      },
    },
    {
      ...described('subscription.get', 'subscription'),
      method: 'get',
      path,
      answers: { 200: answer('Its settings and state.', definitions.subscriptionInfo) },
      errors: ['not_found'],
      handle: async (call) => json(200, await run('subscription.get', call, names(call))),
    },
    {
      ...described('subscription.update', 'subscription'),
      method: 'patch',
      path,
      body: settingsBody(definitions.subscriptionSpec, ['topic', 'name', 'from']),
      answers: { 200: answer('Its settings from now on.', definitions.subscriptionInfo) },
      errors: ['not_found'],
      async handle(call) {
        const change = await readSettings(services, call)
        return json(200, await run('subscription.update', call, { ...names(call), change }))
      },
    },
    {
      ...described('subscription.delete', 'subscription'),
      method: 'delete',
      path,
      answers: { 204: { description: 'Deleted.' } },
      errors: ['not_found'],
      async handle(call) {
        await run('subscription.delete', call, names(call))
        return new Response(null, { status: 204 })
      },
    },
  ]
}

function names({ params }: Call): { topic: string; name: string } {
  return { topic: params['topic']!, name: params['name']! }
}

function listRoute(services: HttpServices, kind: 'topic' | 'queue' | 'subscription', path: string, query: ObjectSchema): Route {
  const operation: OperationName = `${kind}.list`
  const ofTopic = path.includes('{topic}')
  return {
    ...described(operation, kind),
    ...(ofTopic ? { id: 'topic.subscriptions.list', summary: 'List the subscriptions of a topic' } : {}),
    method: 'get',
    path,
    query,
    answers: {
      200: { description: 'A page of the list, sorted by name.', content: { 'application/json': operations[operation].result } },
    },
    errors: ofTopic ? ['not_found'] : [],
    async handle({ params, query: page, principal }) {
      return json(200, await runOperation(services.session, principal, operation, { ...page, ...params }))
    },
  }
}

/** The schema of a specification without what the path already says. */
function settingsBody(spec: ObjectSchema, inPath: readonly string[]): NonNullable<Route['body']> {
  const properties = Object.fromEntries(Object.entries(spec.properties).filter(([name]) => !inPath.includes(name)))
  return {
    description: 'Settings; those left out keep their default or current value.',
    required: false,
    content: { 'application/json': { type: 'object', properties, additionalProperties: false } },
  }
}

/** @throws MillraceError `bad_request` when the body names what the path names already */
async function readSettings({ bodies }: HttpServices, { context, params }: Call): Promise<Record<string, unknown>> {
  const body = await bodies.readJson(context.env.incoming)
  if (body === undefined) return {}
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new MillraceError('bad_request', 'The body must be a JSON object with settings.')
  for (const name of Object.keys(params)) {
    if (Object.hasOwn(body, name) && (body as Record<string, unknown>)[name] !== params[name]) {
      throw new MillraceError('bad_request', `The body has another ${name} than the path.`)
    }
  }
  const { ...settings } = body as Record<string, unknown>
  for (const name of Object.keys(params)) delete settings[name]
  return settings
}
