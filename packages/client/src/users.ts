/** Users of a broker, for those who may administer it. */

export interface UserSpec {
  readonly name: string
  /** Without one nobody can log in as this user: then its rules can be those of a role. */
  readonly password?: string
  /** As `allow publish,consume queue:orders.*`, or with ` from 10.0.0.0/8,::1` after it. What no rule allows is forbidden, and a `deny` wins. */
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

export interface UserAdmin {
  /** The first user must be able to administer the broker: from then on everybody logs in. @throws MillraceError `already_exists`, `bad_request` */
  createUser(spec: UserSpec): Promise<UserInfo>
  /** Open connections follow within a second. @throws MillraceError `not_found`, `bad_request` */
  updateUser(name: string, change: Omit<UserSpec, 'name'>): Promise<UserInfo>
  /** @throws MillraceError `not_found`, `in_use` for the last who may administer the broker */
  deleteUser(name: string): Promise<void>
  user(name: string): Promise<UserInfo>
  users(): Promise<readonly UserInfo[]>
  /** Stands for user and password; shown this once. @param label what it is for */
  createToken(name: string, label?: string): Promise<{ readonly id: string; readonly token: string }>
  revokeToken(name: string, id: string): Promise<void>
}
