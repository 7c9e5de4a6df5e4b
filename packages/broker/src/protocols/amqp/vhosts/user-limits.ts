import { MillraceError } from '../../../base/errors.ts'
import type { Security } from '../../security.ts'
import type { AmqpDirectory } from '../directory.ts'

/** How much one user may have open. Where there are no users there are no limits. */
export class AmqpUserLimits {
  readonly #security: Pick<Security, 'users'>
  readonly #directory: AmqpDirectory

  constructor(security: Pick<Security, 'users'>, directory: AmqpDirectory) {
    this.#security = security
    this.#directory = directory
  }

  /** @throws MillraceError `limit_reached` when one connection more is too much */
  checkConnection(user: string): void {
    const max = this.#security.users.limitsOf(user).maxConnections
    if (max === undefined || this.#directory.count((each) => each.user === user) < max) return
    throw new MillraceError('limit_reached', `connection refused for user '${user}': user connection limit (${max}) is reached`)
  }

  /** @throws MillraceError `limit_reached` when one channel more is too much */
  checkChannel(user: string): void {
    const max = this.#security.users.limitsOf(user).maxChannels
    if (max === undefined) return
    let open = 0
    for (const each of this.#directory.connections()) if (each.user === user) open += each.channels().length
    if (open >= max)
      throw new MillraceError(
        'limit_reached',
        `number of channels opened for user '${user}' has reached the maximum allowed user limit of (${max})`,
      )
  }
}
