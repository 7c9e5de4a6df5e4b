import type { ObjectSchema } from '../../../protocols/api/json-schema.ts'
import { runOperation } from '../../../protocols/api/operations.ts'
import { brokerStatus } from '../../../protocols/api/schemas.ts'
import { json } from '../problem.ts'
import type { Route } from '../route.ts'
import type { HttpServices } from '../services.ts'

const verboseQuery: ObjectSchema = {
  type: 'object',
  properties: { verbose: { type: 'boolean', description: 'List every check.' } },
  additionalProperties: false,
}

/** Health, metrics, status and the description of the API itself. @param openapi makes the document, once it is asked for */
export function observeRoutes(services: HttpServices, openapi: () => object): readonly Route[] {
  return [
    {
      method: 'get',
      path: '/livez',
      id: 'livez',
      open: true,
      tag: 'operations',
      summary: 'Whether the process answers at all',
      query: verboseQuery,
      answers: { 200: { description: 'It does.', content: { 'text/plain': { type: 'string' } } } },
      errors: [],
      handle: () => text(200, 'ok\n'),
    },
    {
      method: 'get',
      path: '/readyz',
      id: 'readyz',
      open: true,
      tag: 'operations',
      summary: 'Whether the broker takes messages',
      query: verboseQuery,
      answers: {
        200: { description: 'It does.', content: { 'text/plain': { type: 'string' } } },
        503: { description: 'It does not; the body lists the checks that fail.', content: { 'text/plain': { type: 'string' } } },
      },
      errors: [],
      handle: ({ query }) => readiness(services.health.checks(), query['verbose'] === true),
    },
    {
      method: 'get',
      path: '/metrics',
      id: 'metrics',
      tag: 'operations',
      summary: 'Figures for Prometheus',
      answers: { 200: { description: 'Prometheus text format.', content: { 'text/plain': { type: 'string' } } } },
      errors: [],
      async handle({ principal }) {
        services.session.authorize(principal, 'describe', 'broker')
        const { contentType, text: body } = await services.metrics()
        return new Response(body, { headers: { 'content-type': contentType } })
      },
    },
    {
      method: 'get',
      path: '/v1/status',
      id: 'status',
      tag: 'operations',
      summary: 'Version, process and listeners of the broker',
      answers: { 200: { description: 'Facts of this process.', content: { 'application/json': brokerStatus } } },
      errors: [],
      handle: async ({ principal }) => json(200, await runOperation(services.session, principal, 'status', {})),
    },
    {
      method: 'get',
      path: '/v1/openapi.json',
      id: 'openapi',
      open: true,
      tag: 'operations',
      summary: 'This document',
      answers: { 200: { description: 'OpenAPI 3.1.', content: { 'application/json': { type: 'object' } } } },
      errors: [],
      handle: () => json(200, openapi()),
    },
  ]
}

/** @param checks each with what is wrong, or undefined */
function readiness(checks: Readonly<Record<string, string | undefined>>, isVerbose: boolean): Response {
  const entries = Object.entries(checks)
  const ready = entries.every(([, problem]) => problem === undefined)
  const lines = entries.map(([name, problem]) => (problem === undefined ? `[+] ${name} ok\n` : `[-] ${name}: ${problem}\n`))
  const verdict = ready ? 'ready\n' : 'not ready\n'
  return text(ready ? 200 : 503, ready && !isVerbose ? verdict : lines.join('') + verdict)
}

function text(status: number, body: string): Response {
  return new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
}
