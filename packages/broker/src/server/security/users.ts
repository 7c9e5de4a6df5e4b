import { randomBytes } from 'node:crypto'
import { prepareText } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { TopicPermission, UserLimits, VhostPermission } from '../../protocols/permissions.ts'
import type { ScramChange, ScramMechanism, UserDefinition, UserDirectory, UserInfo, UserSpec } from '../../protocols/security.ts'
import type { Action } from '../../protocols/session.ts'
import { compileGrants, type Grants, mayDo, mayDoSomewhere, noGrants } from './grants.ts'
import { digest, type HashName, keysOfSalted } from './password-keys.ts'
import { fromSomewhere } from './rule.ts'
import { topicPermissionsAllow } from './topic-permissions.ts'
import {
  changed,
  checkHasPassword,
  defined,
  definitionOf,
  namesVhost,
  shown,
  withoutPermission,
  withoutTopicPermission,
  withPermission,
  withTopicPermission,
} from './user-changes.ts'
import type { StoredUser, StoredUsers } from './user-file.ts'

const USERS_MAX = 100_000
const TOKENS_MAX = 100
const TOKEN_BYTES = 32
const TOKEN_PREFIX = 'mlr_'
// No wildcards and separators of patterns, rules and credentials.
const NAME = /^[^\s,:/*=#+"\\]{1,255}$/u

const hashNames: Readonly<Record<ScramMechanism, HashName>> = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' }
const scramMechanisms = Object.keys(hashNames) as ScramMechanism[]

interface User {
  readonly stored: StoredUser
  readonly grants: Grants
}

/** The users with their rules and permissions, compiled. Whoever changes them writes them down first. */
export class Users implements UserDirectory {
  #stored: StoredUsers
  #users = new Map<string, User>()
  #ofToken = new Map<string, string>()
  #version = 0
  #hasTopicPermissions = false
  readonly #save: (users: StoredUsers) => void

  /** @param save makes users durable @throws MillraceError `bad_request` for rules that are none */
  constructor(stored: StoredUsers, save: (users: StoredUsers) => void) {
    this.#stored = stored
    this.#save = save
    this.load(stored)
  }

  /** Rises with every change. */
  get version(): number {
    return this.#version
  }

  get secret(): string {
    return this.#stored.secret
  }

  get isEmpty(): boolean {
    return this.#users.size === 0
  }

  /** Takes what was read. @throws MillraceError `bad_request`; then nothing has changed */
  load(stored: StoredUsers): void {
    const users = compile(stored)
    this.#stored = stored
    this.#users = users
    this.#hasTopicPermissions = [...users.values()].some(({ grants }) => grants.topicPermissions.length > 0)
    this.#ofToken = new Map(stored.users.flatMap(({ name, tokens = [] }) => tokens.map(({ hash }) => [hash, name] as const)))
    this.#version++
  }

  stored(name: string): StoredUser | undefined {
    return this.#users.get(name)?.stored
  }

  userOfToken(token: string): string | undefined {
    return this.#ofToken.get(hashOf(token))
  }

  /** @param address of the user's peer */
  may(user: string, action: Action, resource: string, address?: string): boolean {
    return mayDo(this.#grantsOf(user), action, resource, address)
  }

  mayAnywhere(user: string, action: Action, kind: 'topic' | 'queue' | 'group', address?: string): boolean {
    return mayDoSomewhere(this.#grantsOf(user), action, kind, address)
  }

  /** Whether any user has some. */
  get hasTopicPermissions(): boolean {
    return this.#hasTopicPermissions
  }

  mayUseKey(user: string, exchange: string, key: string, access: 'write' | 'read', clientId: string | undefined): boolean {
    return topicPermissionsAllow(this.#grantsOf(user).topicPermissions, exchange, key, access, clientId)
  }

  // ---- UserDirectory --------------------------------------------------------------------------------------------------

  list(): readonly UserInfo[] {
    return [...this.#users.values()].map(({ stored }) => shown(stored))
  }

  get(name: string): UserInfo {
    return shown(this.#find(name))
  }

  limitsOf(name: string): UserLimits {
    return this.stored(name)?.limits ?? {}
  }

  create(spec: UserSpec): UserInfo {
    if (this.#users.has(spec.name))
      throw new MillraceError('already_exists', `There is a user ${JSON.stringify(spec.name)} already.`)
    const user = changed(this.#checked(spec.name), spec)
    this.#replace([...this.#stored.users, user])
    return shown(user)
  }

  update(name: string, change: Omit<UserSpec, 'name'>): UserInfo {
    const user = changed(this.#find(name), change)
    this.#put(user)
    return shown(user)
  }

  delete(name: string): void {
    this.#find(name)
    this.#replace(this.#stored.users.filter((user) => user.name !== name))
  }

  permit(name: string, permission: VhostPermission): void {
    this.#put(withPermission(this.#find(name), permission))
  }

  permitTopic(name: string, permission: TopicPermission): void {
    this.#put(withTopicPermission(this.#find(name), permission))
  }

  withdraw(name: string, vhost: string): void {
    this.#put(withoutPermission(this.#find(name), vhost))
  }

  withdrawTopic(name: string, vhost: string, exchange?: string): void {
    this.#put(withoutTopicPermission(this.#find(name), vhost, exchange))
  }

  forgetVhost(vhost: string): void {
    const { users } = this.#stored
    if (!users.some((user) => namesVhost(user, vhost))) return
    this.#replace(users.map((user) => withoutTopicPermission(withoutPermission(user, vhost), vhost, undefined)))
  }

  definitions(): readonly UserDefinition[] {
    return this.#stored.users.map(definitionOf)
  }

  define(definitions: readonly UserDefinition[]): void {
    if (definitions.length === 0) return
    const users = new Map(this.#stored.users.map((user) => [user.name, user] as const))
    for (const definition of definitions) {
      const { name } = definition
      const user = users.get(name) ?? this.#checked(name, users.size)
      users.set(name, defined(user, definition))
    }
    this.#replace([...users.values()])
  }

  createToken(name: string, label: string): { readonly id: string; readonly token: string } {
    const user = this.#find(name)
    const { tokens = [] } = user
    if (tokens.length >= TOKENS_MAX)
      throw new MillraceError('limit_reached', `${JSON.stringify(name)} has ${TOKENS_MAX} tokens: revoke one first.`)
    const id = randomBytes(6).toString('hex')
    const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url')
    this.#put({ ...user, tokens: [...tokens, { id, label, hash: hashOf(token) }] })
    return { id, token }
  }

  revokeToken(name: string, id: string): void {
    const user = this.#find(name)
    const tokens = (user.tokens ?? []).filter((token) => token.id !== id)
    if (tokens.length === (user.tokens ?? []).length)
      throw new MillraceError('not_found', `${JSON.stringify(name)} has no token ${JSON.stringify(id)}.`)
    this.#put({ ...user, tokens })
  }

  scram(name: string): readonly { readonly mechanism: ScramMechanism; readonly iterations: number }[] {
    const { password = {} } = this.#find(name)
    return scramMechanisms.flatMap((mechanism) => {
      const keys = password[hashNames[mechanism]]
      return keys === undefined ? [] : [{ mechanism, iterations: keys.iterations }]
    })
  }

  changeScram(name: string, changes: readonly ScramChange[]): void {
    const isNew = !this.#users.has(name)
    const user = isNew ? this.#checked(name) : this.#find(name)
    checkHasPassword(name)
    const keys = new Map(Object.entries(user.password ?? {}))
    for (const { mechanism, credential } of changes) {
      const hash = hashNames[mechanism]
      if (credential === undefined) keys.delete(hash)
      else keys.set(hash, keysOfSalted(hash, credential.saltedPassword, credential.salt, credential.iterations))
    }
    const { password: _, passwordHash: __, ...rest } = user
    const next = keys.size === 0 ? rest : { ...rest, password: Object.fromEntries(keys) }
    if (isNew) this.#replace([...this.#stored.users, next])
    else this.#put(next)
  }

  /** A new one. @throws MillraceError `bad_request`, `limit_reached` */
  #checked(name: string, count = this.#users.size): StoredUser {
    if (!NAME.test(name) || prepareText(name) !== name)
      throw new MillraceError(
        'bad_request',
        `${JSON.stringify(name)} cannot be the name of a user: use letters, digits and . _ - @, at most 255.`,
      )
    if (count >= USERS_MAX) throw new MillraceError('limit_reached', `There are ${USERS_MAX} users, which is the limit.`)
    return { name, rules: [] }
  }

  #grantsOf(user: string): Grants {
    return this.#users.get(user)?.grants ?? noGrants
  }

  #find(name: string): StoredUser {
    const user = this.#users.get(name)
    if (user !== undefined) return user.stored
    throw new MillraceError(
      'not_found',
      `There is no user ${JSON.stringify(name)}: \`millrace user ls\` shows those that there are.`,
    )
  }

  #put(user: StoredUser): void {
    this.#replace(this.#stored.users.map((each) => (each.name === user.name ? user : each)))
  }

  #replace(users: readonly StoredUser[]): void {
    const next = { ...this.#stored, users }
    const compiled = compile(next)
    // From the first user on, whoever has no rule may do nothing: somebody must be able to go on from there.
    if (users.length > 0 && ![...compiled.values()].some(canAdminister)) {
      throw new MillraceError(
        this.isEmpty ? 'bad_request' : 'in_use',
        'Nobody could administer the broker any more: one user must have a rule such as `allow all **` or the tag administrator, and a password or token' +
          (this.isEmpty ? ' (millrace user add NAME --admin).' : '.'),
      )
    }
    if (users.length === 0)
      throw new MillraceError(
        'in_use',
        'Without users everybody may do everything: to go back to that, stop the broker and remove the file of users.',
      )
    this.#save(next)
    this.load(next)
  }
}

function canAdminister({ stored, grants }: User): boolean {
  const { password = {}, passwordHash, tokens = [] } = stored
  const canLogIn = Object.keys(password).length > 0 || passwordHash !== undefined || tokens.length > 0
  return canLogIn && mayDo({ ...grants, rules: fromSomewhere(grants.rules) }, 'administer', 'broker')
}

/** @throws MillraceError `bad_request` */
function compile({ users }: StoredUsers): Map<string, User> {
  const grants = compileGrants(users)
  return new Map(users.map((stored) => [stored.name, { stored, grants: grants.get(stored.name)! }] as const))
}

function hashOf(token: string): string {
  return digest('sha256', token).toString('base64')
}
