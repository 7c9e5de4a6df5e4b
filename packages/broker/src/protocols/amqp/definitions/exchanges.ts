import type { ExchangeInfo } from '../../../core/broker.ts'
import { MillraceError, orUndefined } from '../../../base/errors.ts'
import type { Ticket } from '../../commit-waiters.ts'
import { AmqpError } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import type { MethodArguments } from '../codec/methods.ts'
import { Arguments } from './arguments.ts'
import { ExchangeDeclaration } from './exchange-declaration.ts'
import { checkNotReserved, isReserved } from './names.ts'

type DeclareArguments = MethodArguments<'exchange.declare'>

/** Exchanges of one virtual host, as a client declares and deletes them. Methods throw AmqpError and MillraceError. */
export class Exchanges {
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  find(name: string): ExchangeInfo | undefined {
    const { broker, names } = this.#client
    return orUndefined(() => broker.router.exchange(names.core(name)))
  }

  /** @throws AmqpError 404 */
  get(name: string): ExchangeInfo {
    const found = this.find(name)
    if (found === undefined) throw new AmqpError('not-found', `no ${this.#told(name)}`)
    return found
  }

  declare(name: string, declared: DeclareArguments): Ticket {
    checkNotDefault(name)
    const found = this.find(name)
    if (declared.passive) {
      this.#client.access.checkAny('exchange', name)
      this.get(name)
      return this.#client.broker.visibleTicket
    }
    const { door, names } = this.#client
    const args = new Arguments(declared.arguments, this.#told(name))
    const declaration = new ExchangeDeclaration(door.administration, names, name, declared, args.json)
    if (found === undefined) return this.#create(name, declaration, args.text('alternate-exchange'))
    declaration.checkSame(found)
    return this.#client.broker.visibleTicket
  }

  #create(name: string, declaration: ExchangeDeclaration, alternate: string | undefined): Ticket {
    const { access } = this.#client
    const settings = declaration.settings()
    checkNotReserved('exchange', name)
    access.check('create', 'exchange', name)
    if (alternate !== undefined) {
      access.check('read', 'exchange', name)
      access.check('publish', 'exchange', alternate)
    }
    return declaration.create(settings)
  }

  /** What is not there is deleted already. */
  delete(name: string, ifUnused: boolean): Ticket {
    const { access, broker, names } = this.#client
    checkNotDefault(name)
    if (isReserved(name)) {
      throw new AmqpError('access-refused', `deletion of system ${this.#told(name)} not allowed`)
    }
    if (this.find(name) === undefined) return broker.visibleTicket
    access.check('delete', 'exchange', name)
    try {
      return broker.router.deleteExchange(names.core(name), { ifUnused })
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'in_use') throw error
      throw new AmqpError('precondition-failed', `${this.#told(name)} in use`)
    }
  }

  #told(name: string): string {
    return this.#client.names.told('exchange', name)
  }
}

/** @throws AmqpError 403 */
export function checkNotDefault(exchange: string): void {
  if (exchange === '') throw new AmqpError('access-refused', 'operation not permitted on the default exchange')
}
