/** What becomes of a stored user when something is said of it. Nothing here keeps anything. */
import { prepareText } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { isVhostName } from '../../base/scoped-names.ts'
import { check } from '../../protocols/api/json-schema.ts'
import type { TopicPermission, VhostPermission } from '../../protocols/permissions.ts'
import { ANONYMOUS, EVERYONE, type UserDefinition, type UserInfo, type UserSpec } from '../../protocols/security.ts'
import { type PasswordKeys, passwordKeys } from './password-keys.ts'
import { checkRabbitmqHash } from './rabbitmq-hash.ts'
import { passwordKeysSchema, type StoredUser } from './user-file.ts'

const RULES_MAX = 1000
const PERMISSIONS_MAX = 10_000

/** @throws MillraceError `bad_request`, `limit_reached` */
export function changed(user: StoredUser, change: Omit<UserSpec, 'name'>): StoredUser {
  const { password, passwordHash, rules, roles, tags, permissions, topicPermissions, limits } = change
  if (rules !== undefined && rules.length > RULES_MAX)
    throw new MillraceError('limit_reached', `A user has at most ${RULES_MAX} rules; a * in a pattern stands for many names.`)
  if (password === '') throw new MillraceError('bad_request', 'A password is not empty; leave it out for a user who has none.')
  const next: StoredUser = {
    ...user,
    ...(rules === undefined ? {} : { rules }),
    ...(roles === undefined ? {} : { roles }),
    ...(tags === undefined ? {} : { tags: [...new Set(tags)] }),
    ...(permissions === undefined ? {} : { permissions: merged([], permissions, sameVhost) }),
    ...(topicPermissions === undefined ? {} : { topicPermissions: merged([], topicPermissions, sameExchange) }),
    ...(limits === undefined ? {} : { limits }),
  }
  if (password !== undefined) return withPassword(next, { password: keysOf(password) })
  if (passwordHash === undefined) return next
  checkRabbitmqHash(passwordHash)
  return withPassword(next, { passwordHash })
}

/** As `changed`, but permissions are added to those that there are. @throws MillraceError `bad_request`, `limit_reached` */
export function defined(user: StoredUser, { passwordKeys: keys, ...change }: UserDefinition): StoredUser {
  const { permissions = [], topicPermissions = [], ...rest } = change
  const next = changed(user, {
    ...rest,
    permissions: merged(user.permissions ?? [], permissions, sameVhost),
    topicPermissions: merged(user.topicPermissions ?? [], topicPermissions, sameExchange),
  })
  return keys === undefined ? next : withPassword(next, { password: check(passwordKeysSchema, keys, 'passwordKeys') })
}

export function withPermission(user: StoredUser, permission: VhostPermission): StoredUser {
  return { ...user, permissions: merged(user.permissions ?? [], [permission], sameVhost) }
}

export function withTopicPermission(user: StoredUser, permission: TopicPermission): StoredUser {
  return { ...user, topicPermissions: merged(user.topicPermissions ?? [], [permission], sameExchange) }
}

export function withoutPermission(user: StoredUser, vhost: string): StoredUser {
  return { ...user, permissions: (user.permissions ?? []).filter((each) => each.vhost !== vhost) }
}

/** @param exchange undefined for all */
export function withoutTopicPermission(user: StoredUser, vhost: string, exchange: string | undefined): StoredUser {
  const isMeant = (each: TopicPermission): boolean =>
    each.vhost === vhost && (exchange === undefined || each.exchange === exchange)
  return { ...user, topicPermissions: (user.topicPermissions ?? []).filter((each) => !isMeant(each)) }
}

export function namesVhost({ permissions = [], topicPermissions = [] }: StoredUser, vhost: string): boolean {
  return [...permissions, ...topicPermissions].some((each) => each.vhost === vhost)
}

/** @throws MillraceError `bad_request` */
export function checkHasPassword(name: string): void {
  if (name === ANONYMOUS || name === EVERYONE)
    throw new MillraceError('bad_request', `${name} is nobody who logs in, and has no password.`)
}

export function shown(user: StoredUser): UserInfo {
  const { name, rules, roles = [], tags = [], permissions = [], topicPermissions = [], limits = {}, tokens = [] } = user
  return {
    name,
    rules,
    roles,
    tags,
    permissions,
    topicPermissions,
    limits,
    password: user.password !== undefined || user.passwordHash !== undefined,
    tokens: tokens.map(({ id, label }) => ({ id, label })),
  }
}

export function definitionOf(user: StoredUser): UserDefinition {
  const { password: _, tokens: __, ...info } = shown(user)
  return {
    ...info,
    ...(user.password === undefined ? {} : { passwordKeys: user.password }),
    ...(user.passwordHash === undefined ? {} : { passwordHash: user.passwordHash }),
  }
}

function withPassword(user: StoredUser, secret: Pick<StoredUser, 'password' | 'passwordHash'>): StoredUser {
  checkHasPassword(user.name)
  const { password: _, passwordHash: __, ...rest } = user
  return { ...rest, ...secret }
}

/** @throws MillraceError `bad_request` */
function keysOf(password: string): PasswordKeys {
  const prepared = prepareText(password)
  if (prepared === undefined) throw new MillraceError('bad_request', 'A password has no control characters.')
  return passwordKeys(prepared)
}

const sameVhost = (a: VhostPermission, b: VhostPermission): boolean => a.vhost === b.vhost
const sameExchange = (a: TopicPermission, b: TopicPermission): boolean => a.vhost === b.vhost && a.exchange === b.exchange

/** One permission for each place: the newer counts. @throws MillraceError `bad_request`, `limit_reached` */
function merged<Permission extends { readonly vhost: string }>(
  current: readonly Permission[],
  given: readonly Permission[],
  isSame: (a: Permission, b: Permission) => boolean,
): readonly Permission[] {
  const next = [...current]
  for (const permission of given) {
    if (!isVhostName(permission.vhost))
      throw new MillraceError('bad_request', `${JSON.stringify(permission.vhost)} cannot be the name of a virtual host.`)
    const at = next.findIndex((each) => isSame(each, permission))
    if (at === -1) next.push(permission)
    else next[at] = permission
  }
  if (next.length <= PERMISSIONS_MAX) return next
  throw new MillraceError('limit_reached', `A user has permissions in at most ${PERMISSIONS_MAX} places.`)
}
