/** Users of a broker, for those who may administer it. */

export interface UserSpec {
  readonly name: string
  /** Without one nobody can log in as this user: then its rules can be those of a role. */
  readonly password?: string
  /** As `allow publish,consume queue:orders.*`, or with ` from 10.0.0.0/8,::1` after it. What no rule allows is forbidden, and a `deny` wins. */
  readonly rules?: readonly string[]
  /** Other users whose rules and permissions count for this one too. */
  readonly roles?: readonly string[]
  /** `administrator`, `monitoring`, `policymaker`, `management`, as in RabbitMQ, or words of your own. */
  readonly tags?: readonly string[]
  /** What it may do in virtual hosts, beside what rules allow. */
  readonly permissions?: readonly VhostPermission[]
  readonly topicPermissions?: readonly TopicPermission[]
  readonly limits?: UserLimits
}

/** Regular expressions that are looked for in names of queues and exchanges; an empty one allows nothing. */
export interface VhostPermission {
  /** The default one is `/`. */
  readonly vhost: string
  /** What it may create, change and delete. */
  readonly configure: string
  /** To what it may publish. The default exchange is `amq.default`. */
  readonly write: string
  /** What it may consume and read. */
  readonly read: string
}

/** Which keys messages may have in an exchange; `{username}`, `{vhost}` and `{client_id}` stand for what they say. One without takes any. */
export interface TopicPermission {
  readonly vhost: string
  readonly exchange: string
  readonly write: string
  readonly read: string
}

/** How much a user may have open at a time, over AMQP. */
export interface UserLimits {
  readonly maxConnections?: number
  readonly maxChannels?: number
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

export interface UserAdmin {
  /** The first user must be able to administer the broker: from then on everybody logs in. @throws MillraceError `already_exists`, `bad_request` */
  createUser(spec: UserSpec): Promise<UserInfo>
  /** Open connections follow within a second. @throws MillraceError `not_found`, `bad_request` */
  updateUser(name: string, change: Omit<UserSpec, 'name'>): Promise<UserInfo>
  /** @throws MillraceError `not_found`, `in_use` for the last who may administer the broker */
  deleteUser(name: string): Promise<void>
  /** Sets what a user may do in a virtual host. @throws MillraceError `not_found`, `bad_request` */
  permit(name: string, permission: VhostPermission): Promise<void>
  /** Takes the permission in a virtual host away. Idempotent. */
  withdraw(name: string, vhost: string): Promise<void>
  /** Sets which keys a user may use in an exchange. @throws MillraceError `not_found`, `bad_request` */
  permitTopic(name: string, permission: TopicPermission): Promise<void>
  /** Takes that away, for one exchange or for all of the virtual host. Idempotent. */
  withdrawTopic(name: string, vhost: string, exchange?: string): Promise<void>
  user(name: string): Promise<UserInfo>
  users(): Promise<readonly UserInfo[]>
  /** Stands for user and password; shown this once. @param label what it is for */
  createToken(name: string, label?: string): Promise<{ readonly id: string; readonly token: string }>
  revokeToken(name: string, id: string): Promise<void>
}
