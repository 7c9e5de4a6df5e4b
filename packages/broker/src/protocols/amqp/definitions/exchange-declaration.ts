import type { ExchangeInfo } from '../../../core/broker.ts'
import type { Ticket } from '../../commit-waiters.ts'
import type { VhostNames } from '../vhost-names.ts'
import { Arguments, type ArgumentsJson } from './arguments.ts'
import { checkSame, checkSameArguments } from './equivalence.ts'
import { type ExchangeSettings, exchangeSettings, exchangeTypeName, KNOWN_EXCHANGE_ARGUMENTS } from './exchange-arguments.ts'
import { declaredArguments, labelsOf } from './labels.ts'
import type { DeclarationContext } from './queue-declaration.ts'

export interface ExchangeProperties {
  readonly type: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
}

/** An exchange as somebody declares it: held against the one that is there, or made. Methods throw AmqpError and MillraceError. */
export class ExchangeDeclaration {
  readonly #context: DeclarationContext
  readonly #names: VhostNames
  readonly #name: string
  readonly #what: string
  readonly #properties: ExchangeProperties
  readonly #given: ArgumentsJson

  constructor(
    context: DeclarationContext,
    names: VhostNames,
    name: string,
    properties: ExchangeProperties,
    given: ArgumentsJson,
  ) {
    this.#context = context
    this.#names = names
    this.#name = name
    this.#what = names.told('exchange', name)
    this.#properties = properties
    this.#given = given
  }

  /** @throws AmqpError 406 for what is not the same */
  checkSame(found: ExchangeInfo): void {
    const { type, durable, autoDelete, internal } = this.#properties
    checkSame(this.#what, 'type', type, exchangeTypeName(found))
    checkSame(this.#what, 'durable', durable, found.durable)
    checkSame(this.#what, 'auto_delete', autoDelete, found.autoDelete)
    checkSame(this.#what, 'internal', internal, found.internal)
    checkSameArguments(this.#what, KNOWN_EXCHANGE_ARGUMENTS, this.#given, declaredArguments(found))
  }

  /** What its arguments and policies make of a new exchange. */
  settings(): ExchangeSettings {
    const { current } = this.#context.policies
    const effective = current.effective(this.#names.vhost, 'exchange', this.#name, this.#given)
    return exchangeSettings(this.#properties.type, new Arguments(effective, this.#what), this.#names)
  }

  create(settings: ExchangeSettings = this.settings()): Ticket {
    const { durable, autoDelete, internal } = this.#properties
    const name = this.#names.core(this.#name)
    const labels = labelsOf({ arguments: this.#given })
    return this.#context.broker.router.createExchange({ name, ...settings, durable, autoDelete, internal, labels })
  }
}
