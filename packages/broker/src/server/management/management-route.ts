import type { Principal } from '../../protocols/session.ts'
import type { ServedRoute } from '../http/api.ts'
import { json } from '../http/problem.ts'
import type { HttpContext } from '../http/route.ts'
import { Access } from './access.ts'
import { answerOf, badRequest } from './failures.ts'
import { columnsOf, listed, withColumns } from './list-query.ts'
import type { ManagementServices } from './services.ts'

export type Json = Readonly<Record<string, unknown>>

/** One request of a user who may log in here. */
export interface ManagementCall {
  readonly access: Access
  readonly principal: Principal
  readonly search: URLSearchParams
  readonly context: HttpContext
  /** A part of the path. */
  readonly param: (name: string) => string
  /** A JSON object, `{}` where there is none. Read after it is clear that the user may. @throws MillraceError `bad_request` */
  readonly body: () => Promise<Json>
}

type Method = ServedRoute['method']
type Handler = (call: ManagementCall, services: ManagementServices) => unknown

/**
 * One method on one path. What the handler returns is the answer: a `Response` as it is, a list as it is asked for in the query, other JSON with the
 * columns that are asked for.
 */
export interface ManagementRoute {
  readonly method: Method
  readonly path: string
  readonly handle: Handler
}

export const get = (path: string, handle: Handler): ManagementRoute => ({ method: 'get', path, handle })
export const put = (path: string, handle: Handler): ManagementRoute => ({ method: 'put', path, handle })
export const post = (path: string, handle: Handler): ManagementRoute => ({ method: 'post', path, handle })
export const remove = (path: string, handle: Handler): ManagementRoute => ({ method: 'delete', path, handle })

export const noContent = (): Response => new Response(null, { status: 204 })

/** @param isNew whether it was not there before */
export const written = (isNew: boolean): Response => (isNew ? new Response(null, { status: 201 }) : noContent())

export function servedRoute({ method, path, handle }: ManagementRoute, services: ManagementServices): ServedRoute {
  return {
    method,
    path,
    async handle({ context, params, principal }) {
      const search = new URL(context.req.url).searchParams
      const access = new Access(services.session, principal)
      access.checkLogin()
      const call: ManagementCall = {
        access,
        principal,
        search,
        context,
        param: (name) => params[name]!,
        body: async () => objectOf(await services.bodies.readJson(context.env.incoming)),
      }
      try {
        return response(await handle(call, services), search)
      } catch (error) {
        return answerOf(error)
      }
    },
  }
}

function response(answer: unknown, search: URLSearchParams): Response {
  if (answer instanceof Response) return answer
  if (Array.isArray(answer)) return json(200, listed(answer as readonly object[], search))
  return json(200, withColumns(answer as object, columnsOf(search)))
}

function objectOf(body: unknown = {}): Json {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Json
  throw badRequest('the body is not a JSON object')
}
