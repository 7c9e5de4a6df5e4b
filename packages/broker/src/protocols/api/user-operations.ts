/** Operations on users, for those who may administer the broker. */
import { MillraceError } from '../../base/errors.ts'
import type { Security } from '../security.ts'
import type { Principal } from '../session.ts'
import { define, type Operation } from './operation.ts'
import { page } from './page.ts'
import { listParams, named, nothing } from './schemas.ts'
import * as schemas from './user-schemas.ts'

export type UserOperation =
  `user.${'create' | 'update' | 'delete' | 'get' | 'list' | 'token' | 'revoke' | 'permit' | 'permitTopic' | 'withdraw' | 'withdrawTopic'}`

const resource = (): string => 'broker'

export const userOperations: Readonly<Record<UserOperation, Operation>> = {
  'user.create': define({
    summary: 'Add a user',
    action: 'administer',
    params: schemas.userSpec,
    result: schemas.userInfo,
    resource,
    run({ security }, spec, _signal, principal) {
      if (spec.password !== undefined) keepSecret(security, principal)
      return security.users.create(spec)
    },
  }),
  'user.update': define({
    summary: 'Change the password, rules or roles of a user; open connections follow within a second',
    action: 'administer',
    params: schemas.userUpdateParams,
    result: schemas.userInfo,
    resource,
    run({ security }, { name, change }, _signal, principal) {
      if (change.password !== undefined) keepSecret(security, principal)
      return security.users.update(name, change)
    },
  }),
  'user.delete': define({
    summary: 'Remove a user, and end its connections',
    action: 'administer',
    params: named,
    result: nothing,
    resource,
    run({ security }, { name }) {
      security.users.delete(name)
      return {}
    },
  }),
  'user.get': define({
    summary: 'Describe a user',
    action: 'administer',
    params: named,
    result: schemas.userInfo,
    resource,
    run: ({ security }, { name }) => security.users.get(name),
  }),
  'user.list': define({
    summary: 'List users',
    action: 'administer',
    params: listParams,
    result: schemas.userList,
    resource,
    run: ({ security }, params) => page(security.users.list(), ({ name }) => name, params),
  }),
  'user.token': define({
    summary: 'Make a token that stands for user and password; it is shown this once',
    action: 'administer',
    params: schemas.tokenParams,
    result: schemas.newToken,
    resource,
    run({ security }, { name, label = '' }, _signal, principal) {
      keepSecret(security, principal)
      return security.users.createToken(name, label)
    },
  }),
  'user.revoke': define({
    summary: 'Take a token back',
    action: 'administer',
    params: schemas.tokenNamed,
    result: nothing,
    resource,
    run({ security }, { name, id }) {
      security.users.revokeToken(name, id)
      return {}
    },
  }),
  'user.permit': define({
    summary: 'Set what a user may do in a virtual host',
    action: 'administer',
    params: schemas.permitParams,
    result: nothing,
    resource,
    run({ security }, { name, permission }) {
      security.users.permit(name, permission)
      return {}
    },
  }),
  'user.permitTopic': define({
    summary: 'Set which keys a user may use in an exchange',
    action: 'administer',
    params: schemas.permitTopicParams,
    result: nothing,
    resource,
    run({ security }, { name, permission }) {
      security.users.permitTopic(name, permission)
      return {}
    },
  }),
  'user.withdraw': define({
    summary: 'Take the permission of a user in a virtual host away',
    action: 'administer',
    params: schemas.withdrawParams,
    result: nothing,
    resource,
    run({ security }, { name, vhost }) {
      security.users.withdraw(name, vhost)
      return {}
    },
  }),
  'user.withdrawTopic': define({
    summary: 'Take away what says which keys a user may use, in one exchange or in all of a virtual host',
    action: 'administer',
    params: schemas.withdrawTopicParams,
    result: nothing,
    resource,
    run({ security }, { name, vhost, exchange }) {
      security.users.withdrawTopic(name, vhost, exchange)
      return {}
    },
  }),
}

/** @throws MillraceError `forbidden` where others could read what is sent */
function keepSecret(security: Security, { peer }: Principal): void {
  if (security.isSecret(peer)) return
  throw new MillraceError(
    'forbidden',
    'Passwords and tokens are not sent over a connection that others can read: use TLS, or do this on the machine of the broker.',
  )
}
