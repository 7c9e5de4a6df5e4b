import { MillraceError } from '../../base/errors.ts'
import { resourceOf } from '../destination-resource.ts'
import { type Action, isAllowed, type Principal, type SessionContext } from '../session.ts'
import { AmqpError } from './amqp-error.ts'
import type { VhostNames } from './vhost-names.ts'

type Kind = 'queue' | 'exchange' | 'topic'

const rights: Partial<Record<Action, string>> = {
  create: 'configure',
  delete: 'configure',
  publish: 'write',
  consume: 'read',
  read: 'read',
}

/** What a client may do, asked in its names and told in RabbitMQ's words. */
export class Access {
  readonly #context: SessionContext
  readonly #principal: Principal
  readonly #names: VhostNames
  readonly #userName: string

  constructor(context: SessionContext, principal: Principal, names: VhostNames, userName: string) {
    this.#context = context
    this.#principal = principal
    this.#names = names
    this.#userName = userName
  }

  /** Rises when what was allowed is to be asked again. */
  get version(): number {
    return this.#context.security.version
  }

  /** What a message is published with, in an exchange of the core whose keys are patterns. @throws AmqpError */
  checkTopic(exchange: string, routingKey: string, access: 'write' | 'read'): void {
    try {
      this.#context.security.authorizeTopic(this.#principal, exchange, routingKey, access)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'forbidden') throw error
      const what = this.#names.told('exchange', this.#names.own(exchange))
      throw new AmqpError(
        'access-refused',
        `${access} access to topic '${routingKey}' in ${what} refused for user '${this.#userName}'`,
      )
    }
  }

  /** For whoever only asks whether it is there: as in RabbitMQ any permission will do, and the refusal tells of the last. @throws AmqpError */
  checkAny(kind: Kind, name: string): void {
    const resource = resourceOf(kind, this.#names.core(name))
    const actions: readonly Action[] = [kind === 'exchange' ? 'read' : 'consume', 'publish']
    if (actions.some((action) => isAllowed(this.#context, this.#principal, action, resource))) return
    this.check('create', kind, name)
  }

  /** @param name as clients say it @throws AmqpError */
  check(action: Action, kind: Kind, name: string): void {
    try {
      this.#context.authorize(this.#principal, action, resourceOf(kind, this.#names.core(name)))
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'forbidden') throw error
      const what = this.#names.told(kind === 'exchange' ? 'exchange' : 'queue', name)
      throw new AmqpError('access-refused', `${rights[action]} access to ${what} refused for user '${this.#userName}'`)
    }
  }
}
