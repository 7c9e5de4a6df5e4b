import type { ExchangeInfo } from '../../../core/broker.ts'
import { MillraceError, orUndefined } from '../../../base/errors.ts'
import type { Ticket } from '../../commit-waiters.ts'
import { AmqpError } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import type { MethodArguments } from '../codec/methods.ts'
import { Arguments, type ArgumentsJson } from './arguments.ts'
import { checkSame, checkSameArguments } from './equivalence.ts'
import { exchangeSettings, exchangeTypeName, KNOWN_EXCHANGE_ARGUMENTS } from './exchange-arguments.ts'
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
      this.get(name)
      return this.#client.broker.visibleTicket
    }
    const args = new Arguments(declared.arguments, this.#told(name))
    if (found !== undefined) {
      this.#checkSame(name, found, declared, args)
      return this.#client.broker.visibleTicket
    }
    return this.#create(name, declared, args)
  }

  #create(name: string, { type, durable, autoDelete, internal }: DeclareArguments, args: Arguments): Ticket {
    const { access, broker, door, names } = this.#client
    const effective = door.administration.policies.current.effective(names.vhost, 'exchange', name, args.json)
    const settings = exchangeSettings(type, new Arguments(effective, this.#told(name)), names)
    checkNotReserved('exchange', name)
    access.check('create', 'exchange', name)
    const alternate = args.text('alternate-exchange')
    if (alternate !== undefined) {
      access.check('read', 'exchange', name)
      access.check('publish', 'exchange', alternate)
    }
    const labels = { amqp: { arguments: args.json } }
    return broker.router.createExchange({ name: names.core(name), ...settings, durable, autoDelete, internal, labels })
  }

  #checkSame(name: string, found: ExchangeInfo, declared: DeclareArguments, args: Arguments): void {
    const what = this.#told(name)
    checkSame(what, 'type', declared.type, exchangeTypeName(found))
    checkSame(what, 'durable', declared.durable, found.durable)
    checkSame(what, 'auto_delete', declared.autoDelete, found.autoDelete)
    checkSame(what, 'internal', declared.internal, found.internal)
    const { amqp } = (found.labels ?? {}) as { readonly amqp?: { readonly arguments: ArgumentsJson } }
    checkSameArguments(what, KNOWN_EXCHANGE_ARGUMENTS, args.json, amqp?.arguments ?? {})
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
