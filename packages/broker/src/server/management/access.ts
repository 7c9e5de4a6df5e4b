import { MillraceError } from '../../base/errors.ts'
import { type Action, isAllowed, type Principal, type SessionContext } from '../../protocols/session.ts'

/** Tags whose users may log in here, as in RabbitMQ. */
const tagsOfManagement: ReadonlySet<string> = new Set(['management', 'policymaker', 'monitoring', 'administrator'])

/** What the user of one request may do. What is about one thing is decided by `authorize` alone. */
export class Access {
  readonly principal: Principal
  readonly #context: SessionContext

  constructor(context: SessionContext, principal: Principal) {
    this.#context = context
    this.principal = principal
  }

  /** As RabbitMQ tells it. Without users everybody may do everything. */
  get tags(): readonly string[] {
    const { security } = this.#context
    const isOpen = security.mechanisms(this.principal.peer).length === 0
    if (isOpen) return ['administrator']
    const { tags } = security.users.get(this.principal.user)
    const isAdministrator = !tags.includes('administrator') && this.may('administer', 'broker')
    return isAdministrator ? [...tags, 'administrator'] : tags
  }

  /** @throws MillraceError `forbidden` for those who have nothing to do with management */
  checkLogin(): void {
    if (this.tags.some((tag) => tagsOfManagement.has(tag)) || this.may('describe', 'broker')) return
    throw new MillraceError('forbidden', 'Not management user')
  }

  may(action: Action, resource: string): boolean {
    return isAllowed(this.#context, this.principal, action, resource)
  }

  /** @throws MillraceError `forbidden` */
  check(action: Action, resource: string): void {
    this.#context.authorize(this.principal, action, resource)
  }

  sees(vhost: string): boolean {
    return this.may('describe', `vhost:${vhost}`)
  }

  /** Which virtual hosts; each is asked once. */
  visible(): (vhost: string) => boolean {
    const known = new Map<string, boolean>()
    return (vhost) => {
      const is = known.get(vhost) ?? this.sees(vhost)
      known.set(vhost, is)
      return is
    }
  }

  /** Keys of topic exchanges. @throws MillraceError `forbidden` */
  checkKey(exchange: string, key: string, access: 'write' | 'read'): void {
    this.#context.security.authorizeTopic(this.principal, exchange, key, access)
  }
}
