import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { MillraceError } from '../../base/errors.ts'
import type { ObjectSchema } from '../../protocols/api/json-schema.ts'
import { ANONYMOUS, type Security } from '../../protocols/security.ts'
import type { LoginRule, Principal } from '../../protocols/session.ts'
import { peerOf } from '../listeners/peer.ts'
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

/** What is served; the rest of a route is for its document. */
export type ServedRoute = Pick<Route, 'method' | 'path' | 'query' | 'open' | 'handle'>

/** How an API talks about itself and about what went wrong. */
export interface ApiStyle {
  /** What `GET /` answers. */
  readonly home: object
  /** Where all paths are listed. */
  readonly pathsHint: string
  problem(error: MillraceError): Response
  /** Whether the handlers look at the query by themselves. By default it is read by the route's schema, and nothing else may be in it. */
  readonly readsQueryItself?: boolean
  /** Whether, as long as there are no users, whatever name and password is given is taken. */
  readonly takesAnyName?: boolean
}

export const millraceStyle: ApiStyle = {
  home: { service: 'millrace', openapi: '/v1/openapi.json', health: '/readyz?verbose', metrics: '/metrics' },
  pathsHint: 'GET /v1/openapi.json lists all paths.',
  problem: problemResponse,
}

/** The HTTP application of a listener over a table of routes. */
export function createHttpApi(
  routes: readonly ServedRoute[],
  rules: BrowserRules,
  security: Security,
  log: Log,
  login: LoginRule | undefined,
  style: ApiStyle = millraceStyle,
): HttpApp {
  const app: HttpApp = new Hono<{ Bindings: HttpBindings }>()

  app.use('*', async (context, next) => {
    const answer = refuseForeignBrowser(context.req.raw, rules)
    if (answer.kind === 'preflight') context.res = new Response(null, { status: 204 })
    else if (answer.kind === 'refused') context.res = style.problem(answer.error)
    else await next()
    for (const [name, value] of Object.entries(securityHeaders)) context.res.headers.set(name, value)
    for (const [name, value] of Object.entries(answer.headers)) context.res.headers.set(name, value)
    return context.res
  })

  const methods = new Map<string, string[]>()
  for (const route of routes) {
    const path = route.path.replace(/\{(\w+)\}/g, ':$1')
    app.on(route.method.toUpperCase(), path, (context) => serve(route, context, security, login, style))
    methods.set(path, [...(methods.get(path) ?? []), route.method.toUpperCase()])
  }
  for (const [path, allowed] of methods) app.all(path, (context) => style.problem(wrongMethod(context, allowed)))

  app.get('/', () => json(200, style.home))
  app.notFound((context) => style.problem(new MillraceError('not_found', `There is no ${context.req.path}. ${style.pathsHint}`)))
  app.onError((error, context) => {
    if (error instanceof MillraceError) {
      const response = style.problem(error)
      if (response.status === 500)
        log.warn('http.failed', `${context.req.method} ${context.req.path} failed: ${error.message}`, { error })
      return response
    }
    // A bug: the process-wide handler stops the broker rather than letting it go on in an unknown state.
    throw error
  })
  return app
}

async function serve(
  route: ServedRoute,
  context: HttpContext,
  security: Security,
  login: LoginRule | undefined,
  style: ApiStyle,
): Promise<Response> {
  const principal = principalOf(context, route, security, login, style)
  const query = style.readsQueryItself === true ? {} : parseQuery(route.query ?? noQuery, new URL(context.req.url).searchParams)
  return route.handle({
    context,
    params: paramsOf(context),
    query,
    principal,
    signal: context.req.raw.signal,
  })
}

/** @throws MillraceError `bad_request` for what is no text: else several paths would mean one thing */
function paramsOf({ req }: HttpContext): Record<string, string> {
  try {
    decodeURIComponent(new URL(req.url).pathname)
  } catch (error) {
    throw new MillraceError('bad_request', `The path ${req.path} is not UTF-8 with percent-encoding.`, { cause: error })
  }
  return req.param()
}

/** @throws MillraceError `unauthorized`, `overloaded` after too many failures */
function principalOf(
  context: HttpContext,
  route: ServedRoute,
  security: Security,
  login: LoginRule | undefined,
  style: ApiStyle,
): Principal {
  const peer = peerOf(context.env.incoming.socket, 'tcp', login)
  const header = context.req.header('authorization')
  const isAnybody = style.takesAnyName === true && security.mechanisms(peer).length === 0
  if (isAnybody) return { user: security.unnamed(peer), peer }
  if (header === undefined) return { user: route.open === true ? ANONYMOUS : security.unnamed(peer), peer }
  const [, scheme, value] = /^(basic|bearer) +(\S+)$/i.exec(header) ?? []
  if (value === undefined)
    throw new MillraceError('unauthorized', 'The header Authorization is neither `Basic ...` nor `Bearer TOKEN`.')
  if (scheme!.toLowerCase() === 'bearer') return { user: security.login({ token: value }, peer), peer }
  const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(value, 'base64').toString('utf8')) ?? []
  if (user === undefined) throw new MillraceError('unauthorized', 'The header Authorization has no `USER:PASSWORD` in base64.')
  return { user: security.login({ user, password }, peer), peer }
}

function wrongMethod(context: HttpContext, allowed: readonly string[]): HttpError {
  const list = allowed.join(', ')
  return new HttpError('bad_request', 405, `${context.req.path} does not take ${context.req.method}; it takes ${list}.`, {
    allow: list,
  })
}
