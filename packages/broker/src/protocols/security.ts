/** Who somebody is and what they may do, as doors and operations see it. Implemented in server/security. */
import { MillraceError } from '../base/errors.ts'
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
  /** @throws MillraceError `already_exists`, `bad_request`, also for a first user who could not administer the broker */
  create(spec: UserSpec): UserInfo
  /** @throws MillraceError `not_found`, `bad_request` */
  update(name: string, change: Omit<UserSpec, 'name'>): UserInfo
  /** @throws MillraceError `not_found`, `in_use` for the last who may administer the broker */
  delete(name: string): void
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
  /** Other users whose rules count for this one too. */
  readonly roles?: readonly string[]
}

export interface UserInfo {
  readonly name: string
  readonly rules: readonly string[]
  readonly roles: readonly string[]
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
  users: {
    list: () => [],
    get: refuseUsers,
    create: refuseUsers,
    update: refuseUsers,
    delete: refuseUsers,
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
