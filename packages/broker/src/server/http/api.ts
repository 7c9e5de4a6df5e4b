import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { MillraceError } from '../../base/errors.ts'
import type { ObjectSchema } from '../../protocols/api/json-schema.ts'
import type { Peer, Principal } from '../../protocols/session.ts'
import { formatAddress } from '../config/listen.ts'
import type { Log } from '../log/log.ts'
import { type BrowserRules, refuseForeignBrowser } from './browser-rules.ts'
import { HttpError, json, problemResponse } from './problem.ts'
import { parseQuery } from './query.ts'
import type { HttpContext, Route } from './route.ts'

const noQuery: ObjectSchema = { type: 'object', properties: {}, additionalProperties: false }

const securityHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

export type HttpApp = Hono<{ Bindings: HttpBindings }>

/** The HTTP application over a table of routes. */
export function createHttpApi(routes: readonly Route[], rules: BrowserRules, log: Log): HttpApp {
  const app: HttpApp = new Hono<{ Bindings: HttpBindings }>()

  app.use('*', async (context, next) => {
    const answer = refuseForeignBrowser(context.req.raw, rules)
    if (answer.kind === 'preflight') context.res = new Response(null, { status: 204 })
    else if (answer.kind === 'refused') context.res = problemResponse(answer.error)
    else await next()
    for (const [name, value] of Object.entries(securityHeaders)) context.res.headers.set(name, value)
    for (const [name, value] of Object.entries(answer.headers)) context.res.headers.set(name, value)
    return context.res
  })

  const methods = new Map<string, string[]>()
  for (const route of routes) {
    const path = route.path.replace(/\{(\w+)\}/g, ':$1')
    app.on(route.method.toUpperCase(), path, (context) => serve(route, context))
    methods.set(path, [...(methods.get(path) ?? []), route.method.toUpperCase()])
  }
  for (const [path, allowed] of methods) app.all(path, (context) => problemResponse(wrongMethod(context, allowed)))

  app.get('/', () =>
    json(200, { service: 'millrace', openapi: '/v1/openapi.json', health: '/readyz?verbose', metrics: '/metrics' }),
  )
  app.notFound((context) =>
    problemResponse(new MillraceError('not_found', `There is no ${context.req.path}. GET /v1/openapi.json lists all paths.`)),
  )
  app.onError((error, context) => {
    if (error instanceof MillraceError) {
      const response = problemResponse(error)
      if (response.status === 500)
        log.warn('http.failed', `${context.req.method} ${context.req.path} failed: ${error.message}`, { error })
      return response
    }
    // A bug: the process-wide handler stops the broker rather than letting it go on in an unknown state.
    throw error
  })
  return app
}

async function serve(route: Route, context: HttpContext): Promise<Response> {
  const query = parseQuery(route.query ?? noQuery, new URL(context.req.url).searchParams)
  return route.handle({
    context,
    params: context.req.param(),
    query,
    principal: principalOf(context),
    signal: context.req.raw.signal,
  })
}

function principalOf(context: HttpContext): Principal {
  const socket = context.env.incoming.socket
  const peer: Peer = {
    address: formatAddress(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0),
    transport: 'tcp',
    secure: false,
  }
  return { user: 'anonymous', peer }
}

function wrongMethod(context: HttpContext, allowed: readonly string[]): HttpError {
  const list = allowed.join(', ')
  return new HttpError('bad_request', 405, `${context.req.path} does not take ${context.req.method}; it takes ${list}.`, {
    allow: list,
  })
}
