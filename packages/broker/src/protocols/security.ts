/** Who somebody is and what they may do, as doors and operations see it. Implemented in server/security. */
import { MillraceError } from '../base/errors.ts'
import type { RabbitmqPasswordHash, TopicPermission, UserLimits, VhostPermission } from './permissions.ts'
import type { Action, Peer, Principal } from './session.ts'

/** What a peer says about itself in clear: user and password, or a token that stands for both. */
export type Credentials =
  { readonly user: string; readonly password?: string | undefined } | { readonly token: string; readonly user?: undefined }

/** Authentication for every door. A door keeps the name that it is given for its `Principal`, and has all else decided by `authorize`. */
export interface Security {
  /** Rises whenever users or their rules change: what `authorize` allowed before is to be asked again. */
  readonly version: number
  /** SASL mechanisms for this peer, the strongest first; none while no users are configured. */
  mechanisms(peer: Peer): readonly string[]
  /**
   * Starts a SASL exchange.
   * @throws MillraceError `unsupported` for a mechanism that this peer may not use, `overloaded` after too many failures from its address
   */
  begin(mechanism: string, peer: Peer): SaslExchange
  /** @returns the user @throws MillraceError `unauthorized`, also where the peer's connection is not secret; `overloaded` as `begin` */
  login(credentials: Credentials, peer: Peer): string
  /** The user of a peer that gives no credentials: that of its certificate, or `anonymous`. @throws MillraceError `unauthorized` */
  unnamed(peer: Peer): string
  /** Whether passwords and tokens may be sent over the peer's connection in clear. */
  isSecret(peer: Peer): boolean
  /** Whether somebody who once logged in is still a user. */
  knows(user: string): boolean
  /** For what is about no resource: whether there may be one of the kind with which `authorize` allows the action. */
  mayAnywhere(principal: Principal, action: Action, kind: 'topic' | 'queue' | 'group'): boolean
  /**
   * Whether somebody may publish to (`write`), or bind to (`read`), an exchange of the core with a key: asked after `authorize`, for topic exchanges.
   * Costs nothing while no user has topic permissions.
   * @throws MillraceError `forbidden`
   */
  authorizeTopic(principal: Principal, exchange: string, routingKey: string, access: 'write' | 'read'): void
  readonly users: UserDirectory
}

/** One SASL exchange, server side: messages in and out, no I/O. */
export interface SaslExchange {
  /** @param message of the client; borrowed @throws MillraceError `unauthorized`, and the exchange is over */
  respond(message: Uint8Array): SaslStep
}

export type SaslStep =
  | { readonly done: false; readonly challenge: Uint8Array }
  /** `challenge`: the last word of mechanisms in which the server proves itself too; empty otherwise. */
  | { readonly done: true; readonly challenge: Uint8Array; readonly user: string }

/** The users of a broker, for those who may `administer` it. Changes are durable when a method returns. */
export interface UserDirectory {
  list(): readonly UserInfo[]
  /** @throws MillraceError `not_found` */
  get(name: string): UserInfo
  /** None for those who are no users. */
  limitsOf(name: string): UserLimits
  /** @throws MillraceError `already_exists`, `bad_request`, also for a first user who could not administer the broker */
  create(spec: UserSpec): UserInfo
  /** @throws MillraceError `not_found`, `bad_request` */
  update(name: string, change: Omit<UserSpec, 'name'>): UserInfo
  /** @throws MillraceError `not_found`, `in_use` for the last who may administer the broker */
  delete(name: string): void
  /** Sets what a user may do in a virtual host. @throws MillraceError `not_found`, `bad_request`, `limit_reached` */
  permit(name: string, permission: VhostPermission): void
  /** Sets which keys a user may use in an exchange. @throws MillraceError `not_found`, `bad_request`, `limit_reached` */
  permitTopic(name: string, permission: TopicPermission): void
  /** Takes a permission in a virtual host away. Idempotent. @throws MillraceError `not_found` for the user */
  withdraw(name: string, vhost: string): void
  /** Takes away what `permitTopic` set, for one exchange or for all. Idempotent. @throws MillraceError `not_found` for the user */
  withdrawTopic(name: string, vhost: string, exchange?: string): void
  /** Takes all permissions in a virtual host away, when it is deleted. */
  forgetVhost(vhost: string): void
  /** What there is to know of all users but their tokens. Not to be shown: it has what is kept of passwords. */
  definitions(): readonly UserDefinition[]
  /** Creates users, or changes what is said of them; permissions are added to those that there are. All or nothing. @throws as `create` */
  define(definitions: readonly UserDefinition[]): void
  /** Makes a token, which is shown this once. @throws MillraceError `not_found`, `limit_reached` */
  createToken(name: string, label: string): { readonly id: string; readonly token: string }
  /** @throws MillraceError `not_found` */
  revokeToken(name: string, id: string): void
  /** What is kept for the mechanisms of SCRAM; nothing for a user without a password. @throws MillraceError `not_found` */
  scram(name: string): readonly { readonly mechanism: ScramMechanism; readonly iterations: number }[]
  /**
   * Replaces or takes away what is kept for mechanisms, of a user who is made if need be. The others stay as they are, so that there may
   * be several passwords; where one is sent in clear, that of SCRAM-SHA-256 counts if there is one.
   * @throws MillraceError `bad_request`, `in_use` for the last who may administer the broker
   */
  changeScram(name: string, changes: readonly ScramChange[]): void
}

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

export interface ScramChange {
  readonly mechanism: ScramMechanism
  /** Undefined takes it away. `saltedPassword`: Hi() of RFC 5802. */
  readonly credential: { readonly iterations: number; readonly salt: Uint8Array; readonly saltedPassword: Uint8Array } | undefined
}

export interface UserSpec {
  readonly name: string
  readonly password?: string
  /** As `allow publish,consume queue:orders.*`. */
  readonly rules?: readonly string[]
  /** Other users whose rules and permissions count for this one too. */
  readonly roles?: readonly string[]
  /** `administrator`, `monitoring`, `policymaker`, `management`, or words that mean nothing to the broker. */
  readonly tags?: readonly string[]
  readonly permissions?: readonly VhostPermission[]
  readonly topicPermissions?: readonly TopicPermission[]
  readonly limits?: UserLimits
  /** In place of `password`: somebody else made it. Such a user logs in with the password in clear (PLAIN). */
  readonly passwordHash?: RabbitmqPasswordHash
}

/** A user as it is exported and imported. */
export interface UserDefinition extends UserSpec {
  /** What is kept of a password, as another Millrace exported it. */
  readonly passwordKeys?: unknown
}

export interface UserInfo {
  readonly name: string
  readonly rules: readonly string[]
  readonly roles: readonly string[]
  readonly tags: readonly string[]
  readonly permissions: readonly VhostPermission[]
  readonly topicPermissions: readonly TopicPermission[]
  readonly limits: UserLimits
  /** Whether there is one. */
  readonly password: boolean
  readonly tokens: readonly { readonly id: string; readonly label: string }[]
}

/** The user of those who do not log in. */
export const ANONYMOUS = 'anonymous'
/** The user whose rules count for all others too. */
export const EVERYONE = 'everyone'

/** For brokers that have no users: in a process, in tests. Goes with `allowAll`. */
export const openToAll: Security = {
  version: 0,
  mechanisms: () => [],
  begin: () => refuseLogin(),
  login: (credentials) => credentials.user ?? refuseLogin(),
  unnamed: () => ANONYMOUS,
  isSecret: () => true,
  knows: () => true,
  mayAnywhere: () => true,
  authorizeTopic: () => {},
  users: {
    list: () => [],
    get: refuseUsers,
    limitsOf: () => ({}),
    create: refuseUsers,
    update: refuseUsers,
    delete: refuseUsers,
    permit: refuseUsers,
    permitTopic: refuseUsers,
    withdraw: refuseUsers,
    withdrawTopic: refuseUsers,
    forgetVhost: () => {},
    definitions: () => [],
    define: refuseUsers,
    createToken: refuseUsers,
    revokeToken: refuseUsers,
    scram: refuseUsers,
    changeScram: refuseUsers,
  },
}

/** @throws MillraceError `unauthorized` */
export function refuseLogin(): never {
  throw new MillraceError('unauthorized', 'This broker has no users: connect without user, password and token.')
}

function refuseUsers(): never {
  throw new MillraceError('unsupported', 'A broker inside a process has no users.')
}
