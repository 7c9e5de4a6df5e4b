import { MillraceError } from '../../../base/errors.ts'
import { binding, bindingListParams, exchangeSpec } from '../../../protocols/api/exchange-schemas.ts'
import type { ObjectSchema } from '../../../protocols/api/json-schema.ts'
import { type OperationName, operations, runOperation } from '../../../protocols/api/operations.ts'
import { listParams } from '../../../protocols/api/schemas.ts'
import type { Action } from '../../../protocols/session.ts'
import { json } from '../problem.ts'
import type { Call, Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { answer, described } from './operation-route.ts'

const { result: info } = operations['exchange.get']

/** Exchanges and bindings: the shared operations under REST paths. */
export function exchangeRoutes(services: HttpServices): readonly Route[] {
  return [...definitionsOf(services), ...bindingsOf(services)]
}

function definitionsOf(services: HttpServices): readonly Route[] {
  const { session } = services
  const path = '/v1/exchanges/{name}'
  return [
    {
      ...described('exchange.list', 'exchange'),
      method: 'get',
      path: '/v1/exchanges',
      query: listParams,
      answers: { 200: answer('A page of the list, sorted by name.', operations['exchange.list'].result) },
      errors: [],
      handle: async (call) => json(200, await run(services, call, 'exchange.list', call.query)),
    },
    {
      ...described('exchange.create', 'exchange'),
      method: 'put',
      path,
      body: { description: 'What it is.', required: true, content: { 'application/json': without(exchangeSpec, 'name') } },
      answers: { 200: answer('It existed with these settings.', info), 201: answer('Created.', info) },
      errors: ['illegal_name', 'already_exists', 'limit_reached'],
      async handle(call) {
        const spec = await bodyOf(services, call, 'create')
        const { name } = call.params
        const existed = session.broker.router.exchanges().some((exchange) => exchange.name === name)
        return json(existed ? 200 : 201, await run(services, call, 'exchange.create', { ...spec, name }))
      },
    },
    {
      ...described('exchange.get', 'exchange'),
      method: 'get',
      path,
      answers: { 200: answer('Its settings and what went through it.', info) },
      errors: ['not_found'],
      handle: async (call) => json(200, await run(services, call, 'exchange.get', call.params)),
    },
    {
      ...described('exchange.delete', 'exchange'),
      method: 'delete',
      path,
      query: {
        type: 'object',
        properties: { ifUnused: { type: 'boolean', description: 'Only when it has no bindings.' } },
        additionalProperties: false,
      },
      answers: { 204: { description: 'Deleted.' } },
      errors: ['not_found', 'in_use'],
      async handle(call) {
        await run(services, call, 'exchange.delete', { ...call.params, ...call.query })
        return new Response(null, { status: 204 })
      },
    },
  ]
}

function bindingsOf(services: HttpServices): readonly Route[] {
  const path = '/v1/exchanges/{name}/bindings'
  const body = {
    description: 'What is bound, and how: a binding is all of this.',
    required: true,
    content: { 'application/json': without(binding, 'source') },
  }
  const list = operations['binding.list'].result
  return [
    {
      ...described('binding.list', 'exchange'),
      method: 'get',
      path: '/v1/bindings',
      query: bindingListParams,
      answers: { 200: answer('A page of the list.', list) },
      errors: ['not_found'],
      handle: async (call) => json(200, await run(services, call, 'binding.list', call.query)),
    },
    {
      ...described('binding.list', 'exchange'),
      id: 'exchange.bindings.list',
      summary: 'List the bindings from an exchange',
      method: 'get',
      path,
      query: listParams,
      answers: { 200: answer('A page of the list.', list) },
      errors: ['not_found'],
      handle: async (call) =>
        json(200, await run(services, call, 'binding.list', { ...call.query, source: call.params['name'] })),
    },
    {
      ...described('binding.create', 'exchange'),
      method: 'put',
      path,
      body,
      answers: { 200: answer('The binding.', operations['binding.create'].result) },
      errors: ['not_found', 'limit_reached'],
      async handle(call) {
        const given = await bodyOf(services, call, 'read')
        return json(200, await run(services, call, 'binding.create', { ...given, source: call.params['name'] }))
      },
    },
    {
      ...described('binding.delete', 'exchange'),
      method: 'delete',
      path,
      body,
      answers: { 204: { description: 'There is no such binding any more.' } },
      errors: ['not_found'],
      async handle(call) {
        const given = await bodyOf(services, call, 'read')
        await run(services, call, 'binding.delete', { ...given, source: call.params['name'] })
        return new Response(null, { status: 204 })
      },
    },
  ]
}

function run({ session }: HttpServices, call: Call, name: OperationName, params: object): Promise<unknown> {
  return runOperation(session, call.principal, name, params)
}

/** @param action that whoever sends it may do with the exchange, at least. @throws MillraceError `bad_request`, `forbidden` */
async function bodyOf({ bodies, session }: HttpServices, { context, params, principal }: Call, action: Action): Promise<object> {
  session.authorize(principal, action, `exchange:${params['name']!}`)
  const body = await bodies.readJson(context.env.incoming)
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body
  throw new MillraceError(
    'bad_request',
    'The body must be a JSON object, such as {"type":"topic"} or {"destination":"queue:mail","key":"mail.#"}.',
  )
}

/** A schema without what the path says already. */
function without({ properties, required = [], ...schema }: ObjectSchema, inPath: string): ObjectSchema {
  const rest = Object.entries(properties).filter(([name]) => name !== inPath)
  return { ...schema, properties: Object.fromEntries(rest), required: required.filter((name) => name !== inPath) }
}
