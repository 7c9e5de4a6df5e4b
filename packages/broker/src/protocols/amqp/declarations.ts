import { destinationAddress, exchangeAddress } from '@millrace/wire'
import { orUndefined } from '../../base/errors.ts'
import type { Binding, Broker, ExchangeInfo } from '../../core/broker.ts'
import type { Ticket } from '../commit-waiters.ts'
import { AmqpError } from './amqp-error.ts'
import type { ArgumentsJson } from './definitions/arguments.ts'
import { bindingOf } from './definitions/bindings.ts'
import { ExchangeDeclaration, type ExchangeProperties } from './definitions/exchange-declaration.ts'
import { findQueue, type FoundQueue } from './definitions/found-queue.ts'
import type { QueueProperties } from './definitions/labels.ts'
import { type DeclarationContext, QueueDeclaration } from './definitions/queue-declaration.ts'
import { VhostNames } from './vhost-names.ts'

interface GivenQueue extends Omit<QueueProperties, 'exclusive'> {
  readonly arguments: ArgumentsJson
}

interface GivenExchange extends ExchangeProperties {
  readonly arguments: ArgumentsJson
}

/** As clients say it. */
export interface BindingDeclaration {
  readonly source: string
  readonly destination: string
  readonly destinationType: 'queue' | 'exchange'
  readonly routingKey: string
  readonly arguments: ArgumentsJson
}

/**
 * Declares on behalf of no connection: for imports and the management API, whose arguments are JSON. Who may do it was asked before. What exists and is the
 * same stays as it is. Methods throw AmqpError and MillraceError.
 */
export class Declarations {
  readonly #broker: Broker
  readonly #context: DeclarationContext

  constructor(context: DeclarationContext) {
    this.#broker = context.broker
    this.#context = context
  }

  queue(vhost: string, name: string, given: GivenQueue): Ticket {
    const names = new VhostNames(vhost)
    const declaration = new QueueDeclaration(this.#context, names, name, { ...given, exclusive: false }, given.arguments)
    const found = this.#findQueue(names, name)
    if (found === undefined) return declaration.create()
    declaration.checkSame(found)
    // It may be in the open commit.
    return this.#broker.ticket()
  }

  exchange(vhost: string, name: string, given: GivenExchange): Ticket {
    this.#context.vhosts.get(vhost)
    const names = new VhostNames(vhost)
    const declaration = new ExchangeDeclaration(this.#context, names, name, given, given.arguments)
    const found = this.#findExchange(names, name)
    if (found === undefined) return declaration.create()
    declaration.checkSame(found)
    // It may be in the open commit.
    return this.#broker.ticket()
  }

  bind(vhost: string, binding: BindingDeclaration): Ticket {
    return this.#broker.router.bind(this.coreBinding(vhost, binding))
  }

  unbind(vhost: string, binding: BindingDeclaration): Ticket {
    return this.#broker.router.unbind(this.coreBinding(vhost, binding))
  }

  /** @throws AmqpError 404 where either side is missing */
  coreBinding(vhost: string, { source: name, routingKey, arguments: given, ...to }: BindingDeclaration): Binding {
    const names = new VhostNames(vhost)
    const source = name === '' ? undefined : this.#findExchange(names, name)
    if (source === undefined) throw new AmqpError('not-found', `no ${names.told('exchange', name)}`)
    return bindingOf(source, this.#destination(names, to), routingKey, given, names)
  }

  #destination(
    names: VhostNames,
    { destination, destinationType }: Pick<BindingDeclaration, 'destination' | 'destinationType'>,
  ): string {
    if (destinationType === 'exchange') return exchangeAddress(this.#broker.router.exchange(names.core(destination)).name)
    const found = this.#findQueue(names, destination)
    if (found === undefined) throw new AmqpError('not-found', `no ${names.told('queue', destination)}`)
    return destinationAddress(found.kind, found.info.name)
  }

  #findQueue(names: VhostNames, name: string): FoundQueue | undefined {
    return findQueue(this.#broker, names.core(name))
  }

  #findExchange(names: VhostNames, name: string): ExchangeInfo | undefined {
    return orUndefined(() => this.#broker.router.exchange(names.core(name)))
  }
}
