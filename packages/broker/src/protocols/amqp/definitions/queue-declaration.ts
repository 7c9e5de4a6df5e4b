import type { Broker } from '../../../core/broker.ts'
import type { Ticket } from '../../commit-waiters.ts'
import type { FieldTable } from '../codec/field-table.ts'
import type { Policies } from '../policies/policies.ts'
import type { VhostNames } from '../vhost-names.ts'
import type { VirtualHosts } from '../vhosts/virtual-hosts.ts'
import { Arguments, type ArgumentsJson } from './arguments.ts'
import { checkSame, checkSameArguments, locked } from './equivalence.ts'
import { declaredOf, type FoundQueue } from './found-queue.ts'
import { labelsOf, type QueueProperties } from './labels.ts'
import { checkProperties, KNOWN_ARGUMENTS, queueSettings, queueType, type QueueType, streamSettings } from './queue-arguments.ts'

const TYPE = 'x-queue-type'

/** Where something is declared. */
export interface DeclarationContext {
  readonly broker: Broker
  readonly vhosts: VirtualHosts
  readonly policies: Policies
}

/** A queue as somebody declares it: held against the one that is there, or made. Methods throw AmqpError and MillraceError. */
export class QueueDeclaration {
  readonly type: QueueType
  readonly #context: DeclarationContext
  readonly #names: VhostNames
  readonly #name: string
  readonly #what: string
  readonly #properties: QueueProperties
  readonly #given: Arguments

  constructor(
    context: DeclarationContext,
    names: VhostNames,
    name: string,
    { durable, exclusive, autoDelete }: QueueProperties,
    given: FieldTable | ArgumentsJson,
  ) {
    this.#context = context
    this.#names = names
    this.#name = name
    this.#what = names.told('queue', name)
    this.#properties = { durable, exclusive, autoDelete }
    this.#given = this.#withType(new Arguments(given, this.#what))
    this.type = queueType(this.#given)
  }

  /** A virtual host may say what queues are whose type is not said. */
  #withType(given: Arguments): Arguments {
    const type = this.#context.vhosts.get(this.#names.vhost).defaultQueueType
    return type === undefined || given.has(TYPE) ? given : new Arguments({ ...given.json, [TYPE]: type }, this.#what)
  }

  /** @throws AmqpError 405, 406 for what is not the same */
  checkSame(found: FoundQueue): void {
    const what = this.#what
    const { durable, exclusive, autoDelete } = this.#properties
    const current = declaredOf(found)
    checkSame(what, 'durable', durable, current.durable)
    checkSame(what, 'auto_delete', autoDelete, current.autoDelete)
    if (exclusive !== current.exclusive) throw locked(what)
    checkSame(what, TYPE, this.type, current.type)
    if (current.arguments === undefined) this.#checkSameSettings()
    else checkSameArguments(what, KNOWN_ARGUMENTS, this.#given.json, current.arguments)
  }

  /** Of a queue that another door created: by what it is. */
  #checkSameSettings(): void {
    const given = this.#given
    if (this.type === 'stream' || !KNOWN_ARGUMENTS.some((known) => given.has(known))) return
    const name = this.#names.core(this.#name)
    this.#context.broker.createQueue({ name, ...queueSettings(given, this.type, this.#names) })
  }

  /** What counts for a new queue: its arguments and what policies say. */
  effective(): Arguments {
    const { vhosts, policies } = this.#context
    const { vhost } = this.#names
    checkProperties(this.type, this.#properties, this.#what)
    vhosts.checkQueues(vhost)
    return new Arguments(policies.current.effective(vhost, this.type, this.#name, this.#given.json), this.#what)
  }

  create(effective: Arguments = this.effective()): Ticket {
    const { broker } = this.#context
    const { durable, exclusive, autoDelete } = this.#properties
    const name = this.#names.core(this.#name)
    const labels = labelsOf({ ...this.#properties, type: this.type, arguments: this.#given.json })
    if (this.type === 'stream') return broker.createTopic({ name, ...streamSettings(effective), labels })
    const settings = queueSettings(effective, this.type, this.#names)
    // An exclusive queue ends with its connection, and so at the latest with the broker.
    return broker.createQueue({ name, ...settings, durable: durable && !exclusive, autoDelete, labels })
  }
}
