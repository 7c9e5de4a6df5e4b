import type { UserInfo } from '../../../protocols/security.ts'
import { requiredText } from '../body-fields.ts'
import { notFound } from '../failures.ts'
import { get, type ManagementCall, type ManagementRoute, noContent, put, remove, written } from '../management-route.ts'
import type { ManagementServices } from '../services.ts'
import { userOf } from './users.ts'

type Kind = 'permissions' | 'topicPermissions'

/** Of users in virtual hosts; for those who administer the broker. */
export const permissionRoutes: readonly ManagementRoute[] = [
  get('/api/permissions', (call, services) => allOf(call, services, 'permissions')),
  get('/api/topic-permissions', (call, services) => allOf(call, services, 'topicPermissions')),
  get('/api/vhosts/{vhost}/permissions', (call, services) => inVhost(call, services, 'permissions')),
  get('/api/vhosts/{vhost}/topic-permissions', (call, services) => inVhost(call, services, 'topicPermissions')),
  get('/api/permissions/{vhost}/{user}', (call, services) => {
    const [found] = ofUser(call, services, 'permissions')
    if (found === undefined) throw notFound('permission')
    return found
  }),
  put('/api/permissions/{vhost}/{user}', async (call, services) => {
    const { name, vhost } = placeOf(call, services)
    const body = await call.body()
    const isNew = ofUser(call, services, 'permissions').length === 0
    services.session.security.users.permit(name, {
      vhost,
      configure: requiredText(body, 'configure'),
      write: requiredText(body, 'write'),
      read: requiredText(body, 'read'),
    })
    return written(isNew)
  }),
  remove('/api/permissions/{vhost}/{user}', (call, services) => {
    const { name, vhost } = placeOf(call, services)
    services.session.security.users.withdraw(name, vhost)
    return noContent()
  }),
  get('/api/topic-permissions/{vhost}/{user}', (call, services) => {
    const found = ofUser(call, services, 'topicPermissions')
    if (found.length === 0) throw notFound('topic permission')
    return found
  }),
  put('/api/topic-permissions/{vhost}/{user}', async (call, services) => {
    const { name, vhost } = placeOf(call, services)
    const body = await call.body()
    const isNew = ofUser(call, services, 'topicPermissions').length === 0
    services.session.security.users.permitTopic(name, {
      vhost,
      exchange: requiredText(body, 'exchange'),
      write: requiredText(body, 'write'),
      read: requiredText(body, 'read'),
    })
    return written(isNew)
  }),
  remove('/api/topic-permissions/{vhost}/{user}', (call, services) => {
    const { name, vhost } = placeOf(call, services)
    services.session.security.users.withdrawTopic(name, vhost)
    return noContent()
  }),
]

/** Who and where, once both are there. @throws MillraceError `forbidden`, `not_found` */
function placeOf(call: ManagementCall, services: ManagementServices): { readonly name: string; readonly vhost: string } {
  const { name } = userOf(call, services)
  return { name, vhost: services.administration.vhosts.get(call.param('vhost')).name }
}

function ofUser(call: ManagementCall, services: ManagementServices, kind: Kind): readonly object[] {
  const { vhost } = placeOf(call, services)
  return viewsOf(userOf(call, services), kind).filter((permission) => permission.vhost === vhost)
}

function allOf({ access }: ManagementCall, { session }: ManagementServices, kind: Kind): ReturnType<typeof viewsOf> {
  access.check('administer', 'broker')
  return session.security.users.list().flatMap((user) => viewsOf(user, kind))
}

function inVhost(call: ManagementCall, services: ManagementServices, kind: Kind): readonly object[] {
  const all = allOf(call, services, kind)
  const { name } = services.administration.vhosts.get(call.param('vhost'))
  return all.filter(({ vhost }) => vhost === name)
}

function viewsOf(user: UserInfo, kind: Kind): readonly { readonly user: string; readonly vhost: string }[] {
  return user[kind].map((permission) => ({ user: user.name, ...permission }))
}
