import { destinationAddress, exchangeAddress } from '@millrace/wire'
import { orUndefined } from '../../base/errors.ts'
import type { Binding, Broker } from '../../core/broker.ts'
import type { Ticket } from '../commit-waiters.ts'
import { AmqpError } from './amqp-error.ts'
import { Arguments, type ArgumentsJson } from './definitions/arguments.ts'
import { matchOf } from './definitions/bindings.ts'
import { checkSame, checkSameArguments } from './definitions/equivalence.ts'
import { exchangeSettings, exchangeTypeName, KNOWN_EXCHANGE_ARGUMENTS } from './definitions/exchange-arguments.ts'
import { checkProperties, KNOWN_ARGUMENTS, queueSettings, queueType, streamSettings } from './definitions/queue-arguments.ts'
import { declaredOf, type FoundQueue, labelsOf } from './definitions/queues.ts'
import type { Policies } from './policies/policies.ts'
import { VhostNames } from './vhost-names.ts'
import type { VirtualHosts } from './vhosts/virtual-hosts.ts'

export interface QueueDeclaration {
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly arguments: ArgumentsJson
}

export interface ExchangeDeclaration extends QueueDeclaration {
  readonly type: string
  readonly internal: boolean
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
  readonly #vhosts: VirtualHosts
  readonly #policies: Policies

  constructor(broker: Broker, vhosts: VirtualHosts, policies: Policies) {
    this.#broker = broker
    this.#vhosts = vhosts
    this.#policies = policies
  }

  queue(vhost: string, name: string, declaration: QueueDeclaration): Ticket {
    const { defaultQueueType } = this.#vhosts.get(vhost)
    const names = new VhostNames(vhost)
    const what = names.told('queue', name)
    const properties = { ...declaration, exclusive: false }
    const declared = new Arguments(withType(declaration.arguments, defaultQueueType), what)
    const type = queueType(declared)
    checkProperties(type, properties, what)
    const found = this.findQueue(vhost, name)
    if (found !== undefined) {
      const current = declaredOf(found)
      checkSame(what, 'durable', declaration.durable, current.durable)
      checkSame(what, 'auto_delete', declaration.autoDelete, current.autoDelete)
      checkSame(what, 'x-queue-type', type, current.type)
      if (current.arguments !== undefined) checkSameArguments(what, KNOWN_ARGUMENTS, declared.json, current.arguments)
      // It may be in the open commit.
      return this.#broker.ticket()
    }
    this.#vhosts.checkQueues(vhost)
    const { durable, autoDelete } = declaration
    const args = new Arguments(this.#policies.current.effective(vhost, type, name, declared.json), what)
    const labels = labelsOf({ durable, autoDelete, exclusive: false, type, arguments: declared.json })
    const core = names.core(name)
    if (type === 'stream') return this.#broker.createTopic({ name: core, ...streamSettings(args), labels })
    return this.#broker.createQueue({ name: core, ...queueSettings(args, type, names), durable, autoDelete, labels })
  }

  exchange(vhost: string, name: string, declaration: ExchangeDeclaration): Ticket {
    this.#vhosts.get(vhost)
    const names = new VhostNames(vhost)
    const what = names.told('exchange', name)
    const { type, durable, autoDelete, internal } = declaration
    const core = names.core(name)
    const found = orUndefined(() => this.#broker.router.exchange(core))
    if (found !== undefined) {
      checkSame(what, 'type', type, exchangeTypeName(found))
      checkSame(what, 'durable', durable, found.durable)
      checkSame(what, 'auto_delete', autoDelete, found.autoDelete)
      checkSame(what, 'internal', internal, found.internal)
      const { amqp } = (found.labels ?? {}) as { readonly amqp?: { readonly arguments: ArgumentsJson } }
      checkSameArguments(what, KNOWN_EXCHANGE_ARGUMENTS, declaration.arguments, amqp?.arguments ?? {})
      // It may be in the open commit.
      return this.#broker.ticket()
    }
    const effective = this.#policies.current.effective(vhost, 'exchange', name, declaration.arguments)
    const settings = exchangeSettings(type, new Arguments(effective, what), names)
    const labels = { amqp: { arguments: declaration.arguments } }
    return this.#broker.router.createExchange({ name: core, ...settings, durable, autoDelete, internal, labels })
  }

  bind(vhost: string, binding: BindingDeclaration): Ticket {
    return this.#broker.router.bind(this.coreBinding(vhost, binding))
  }

  unbind(vhost: string, binding: BindingDeclaration): Ticket {
    return this.#broker.router.unbind(this.coreBinding(vhost, binding))
  }

  /** @throws AmqpError 404 where either side is missing */
  coreBinding(vhost: string, declaration: BindingDeclaration): Binding {
    const names = new VhostNames(vhost)
    const told = names.told('exchange', declaration.source)
    const source = orUndefined(() => this.#broker.router.exchange(names.core(declaration.source)))
    if (source === undefined || declaration.source === '') throw new AmqpError('not-found', `no ${told}`)
    return {
      source: source.name,
      destination: this.#destination(vhost, declaration),
      key: declaration.routingKey,
      ...matchOf(source, new Arguments(declaration.arguments, `binding to ${told}`)),
    }
  }

  findQueue(vhost: string, name: string): FoundQueue | undefined {
    const core = new VhostNames(vhost).core(name)
    const info = orUndefined(() => this.#broker.queue(core))
    if (info !== undefined) return { kind: 'queue', info }
    const topic = orUndefined(() => this.#broker.topic(core))
    return topic === undefined ? undefined : { kind: 'topic', info: topic }
  }

  #destination(vhost: string, { destination, destinationType }: BindingDeclaration): string {
    const names = new VhostNames(vhost)
    const core = names.core(destination)
    if (destinationType === 'exchange') {
      this.#broker.router.exchange(core)
      return exchangeAddress(core)
    }
    const found = this.findQueue(vhost, destination)
    if (found === undefined) throw new AmqpError('not-found', `no ${names.told('queue', destination)}`)
    return destinationAddress(found.kind, core)
  }
}

function withType(args: ArgumentsJson, defaultType: string | undefined): ArgumentsJson {
  const isDefault = defaultType === undefined || Object.hasOwn(args, 'x-queue-type')
  return isDefault ? args : { ...args, 'x-queue-type': defaultType }
}
