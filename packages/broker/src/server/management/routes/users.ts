import { orUndefined } from '../../../base/errors.ts'
import type { UserDefinition, UserInfo } from '../../../protocols/security.ts'
import { userDefinition, userLimitsOf } from '../../../protocols/amqp/transfer/imported-user.ts'
import type { UserEntry } from '../../../protocols/amqp/transfer/definition-shapes.ts'
import { numberField, textField } from '../body-fields.ts'
import { badRequest } from '../failures.ts'
import {
  get,
  type Json,
  type ManagementCall,
  type ManagementRoute,
  noContent,
  post,
  put,
  remove,
  written,
} from '../management-route.ts'
import type { ManagementServices } from '../services.ts'

export const userRoutes: readonly ManagementRoute[] = [
  get('/api/users', (call, services) => {
    call.access.check('administer', 'broker')
    return services.session.security.users.definitions().map(userView)
  }),
  get('/api/users/without-permissions', (call, services) => {
    call.access.check('administer', 'broker')
    return services.session.security.users
      .definitions()
      .filter(({ permissions = [] }) => permissions.length === 0)
      .map(userView)
  }),
  post('/api/users/bulk-delete', async (call, services) => {
    call.access.check('administer', 'broker')
    const { users } = await call.body()
    if (!isListOfTexts(users)) throw badRequest('users must be a list of names')
    for (const name of users) services.session.security.users.delete(name)
    return noContent()
  }),
  get('/api/users/{user}', (call, services) => {
    call.access.check('administer', 'broker')
    const { name } = services.session.security.users.get(call.param('user'))
    return userView(services.session.security.users.definitions().find((each) => each.name === name)!)
  }),
  put('/api/users/{user}', putUser),
  remove('/api/users/{user}', (call, services) => {
    call.access.check('administer', 'broker')
    services.session.security.users.delete(call.param('user'))
    return noContent()
  }),
  get('/api/users/{user}/permissions', (call, services) => {
    const { name, permissions } = userOf(call, services)
    return permissions.map((permission) => ({ user: name, ...permission }))
  }),
  get('/api/users/{user}/topic-permissions', (call, services) => {
    const { name, topicPermissions } = userOf(call, services)
    return topicPermissions.map((permission) => ({ user: name, ...permission }))
  }),
  get('/api/user-limits', (call, services) => {
    call.access.check('administer', 'broker')
    return services.session.security.users.list().flatMap(limitsView)
  }),
  get('/api/user-limits/{user}', (call, services) => limitsView(userOf(call, services))),
  put('/api/user-limits/{user}/{name}', async (call, services) => {
    call.access.check('administer', 'broker')
    const value = numberField(await call.body(), 'value')
    if (value === undefined) throw badRequest('value is missing')
    return changeLimit(call, services, value)
  }),
  remove('/api/user-limits/{user}/{name}', (call, services) => changeLimit(call, services, -1)),
]

/** That of the path, for those who may administer users. @throws MillraceError `forbidden`, `not_found` */
export function userOf({ access, param }: ManagementCall, { session: { security } }: ManagementServices): UserInfo {
  access.check('administer', 'broker')
  return security.users.get(param('user'))
}

function userView({ name, passwordHash, tags = [], limits = {} }: UserDefinition): object {
  return {
    name,
    password_hash: passwordHash?.hash ?? '',
    hashing_algorithm: `rabbit_password_hashing_${passwordHash?.algorithm ?? 'sha256'}`,
    tags,
    limits: rabbitLimits(limits),
  }
}

async function putUser(call: ManagementCall, services: ManagementServices): Promise<Response> {
  call.access.check('administer', 'broker')
  const { users } = services.session.security
  const body = await call.body()
  const name = call.param('user')
  const existing = orUndefined(() => users.get(name))
  const { passwordKeys: _, limits: __, ...spec } = userDefinition(entryOf(name, body))
  if (existing === undefined) users.create(spec)
  else {
    const { name: _name, ...change } = spec
    users.update(name, change)
  }
  return written(existing === undefined)
}

/** @throws MillraceError `bad_request` */
function entryOf(name: string, body: Json): UserEntry {
  const { tags } = body
  if (typeof tags !== 'string' && !isListOfTexts(tags)) throw badRequest('[{error,"key tags is missing"}]')
  const password = textField(body, 'password')
  const hash = textField(body, 'password_hash')
  const algorithm = textField(body, 'hashing_algorithm')
  return {
    name,
    tags,
    ...(password === undefined ? {} : { password }),
    ...(hash === undefined ? {} : { password_hash: hash }),
    ...(algorithm === undefined ? {} : { hashing_algorithm: algorithm }),
  }
}

function isListOfTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function limitsView({ name, limits }: UserInfo): readonly object[] {
  const value = rabbitLimits(limits)
  return Object.keys(value).length === 0 ? [] : [{ user: name, value }]
}

function rabbitLimits({ maxConnections, maxChannels }: UserInfo['limits']): Readonly<Record<string, number>> {
  return {
    ...(maxConnections === undefined ? {} : { 'max-connections': maxConnections }),
    ...(maxChannels === undefined ? {} : { 'max-channels': maxChannels }),
  }
}

/** @param value a negative one is none */
function changeLimit(call: ManagementCall, services: ManagementServices, value: number): Response {
  const { name, limits } = userOf(call, services)
  const limit = call.param('name')
  if (limit !== 'max-connections' && limit !== 'max-channels') throw badRequest(`${limit} is no limit of users`)
  services.session.security.users.update(name, { limits: userLimitsOf({ ...rabbitLimits(limits), [limit]: value }) })
  return noContent()
}
